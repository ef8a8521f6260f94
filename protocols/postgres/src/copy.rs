//! Masks COPY data on its way out.
//!
//! COPY data is a stream of rows cut into CopyData frames anywhere; PostgreSQL sends one row a frame, and a
//! frame that holds whole rows is masked where it lies. A row that spans frames is carried until it is
//! whole and leaves as a frame of its own. A frame, or a carried row, over [`limits::GATHER_BYTES`] is
//! masked as it streams by: then every byte of a cell under any treatment is overwritten, NULL too where
//! it is written as text, and the cell's length counts as unknown (`usize::MAX`).
//!
//! What leaves depends on how the server cut its frames, never on how the network cut the chunks. It may
//! assume checked headers; it must never let a row pass whose cells are not as many as the plan's columns.
//!
//! Source: PostgreSQL manual, "COPY Operations" under "Message Flow", and "File Formats" of COPY.

use std::ops::Range;

use wire::fault::{Culprit, Fault};
use wire::guard::{CopyShape, CopySyntax, Guard};
use wire::limits;
use wire::segments::Segments;

use crate::copy_binary::Binary;
use crate::copy_csv::Csv;
use crate::copy_text::Text;
use crate::frame::{self, HEADER_BYTES, Header};
use crate::message::server;
use crate::rows::{self, Hits, Rows};

/// A range of a row and what comes in its place.
pub(crate) struct Splice {
    at: Range<usize>,
    with: Vec<u8>,
}

/// The cells of one row, as a format hands them over.
pub(crate) struct Cells<'a, G: Guard> {
    pub(crate) rows: &'a Rows<G::Plan>,
    pub(crate) guard: &'a mut G,
    hits: Hits<'a>,
    /// Where the row lies in what the hints are about, and in the payload.
    base: usize,
    splices: &'a mut Vec<Splice>,
}

impl<G: Guard> Cells<'_, G> {
    /// Whether the cell in this range of the row is to be masked. `escaped`: its bytes are not its value,
    /// so that hints may have missed it.
    pub(crate) fn wanted(&mut self, column: usize, cell: &Range<usize>, escaped: bool) -> bool {
        use wire::guard::Treatment;
        match self.rows.treatment(column) {
            Treatment::Pass => false,
            Treatment::Mask => true,
            Treatment::Detect => escaped || self.hits.any(&(self.base + cell.start..self.base + cell.end)),
        }
    }

    /// Puts other bytes in place of a range of the row.
    pub(crate) fn splice(&mut self, at: Range<usize>, with: Vec<u8>) {
        self.splices.push(Splice { at: self.base + at.start..self.base + at.end, with });
    }
}

pub(crate) fn malformed_copy() -> Fault {
    Fault::server("malformed_copy_data", "the server sent COPY data that does not fit its description")
}

enum Format {
    Binary(Binary),
    Csv(Csv),
    Text(Text),
}

impl Format {
    /// Where the first row of `bytes` ends; remembers how far it has looked.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        match self {
            Self::Binary(binary) => binary.end(bytes),
            Self::Csv(csv) => Ok(csv.end(bytes)),
            Self::Text(text) => Ok(text.end(bytes)),
        }
    }

    /// Masks the row that `bytes` begin with, and gives its length; `None` where it is not whole.
    fn first<G: Guard>(&mut self, bytes: &mut [u8], cells: &mut Cells<'_, G>) -> Result<Option<usize>, Fault> {
        if let Self::Text(text) = self
            && let Some(length) = text.plain(bytes, cells)?
        {
            return Ok(Some(length));
        }
        let Some(length) = self.end(bytes)? else { return Ok(None) };
        self.mask(bytes.get_mut(..length).ok_or_else(malformed_copy)?, cells)?;
        Ok(Some(length))
    }

    /// Masks one whole row.
    fn mask<G: Guard>(&mut self, row: &mut [u8], cells: &mut Cells<'_, G>) -> Result<(), Fault> {
        match self {
            Self::Binary(binary) => binary.mask(row, cells),
            Self::Csv(csv) => csv.mask(row, cells),
            Self::Text(text) => text.mask(row, cells),
        }
    }

    /// Masks a piece of the stream in place, up to the end of a row if `stop`; returns where it stopped.
    fn stream<G: Guard>(
        &mut self,
        piece: &mut [u8],
        stop: bool,
        rows: &Rows<G::Plan>,
        guard: &mut G,
    ) -> Result<usize, Fault> {
        match self {
            Self::Binary(binary) => binary.stream(piece, stop, rows, guard),
            Self::Csv(csv) => csv.stream(piece, stop, rows, guard),
            Self::Text(text) => text.stream(piece, stop, rows, guard),
        }
    }

    fn at_row_start(&self) -> bool {
        match self {
            Self::Binary(binary) => binary.at_row_start(),
            Self::Csv(csv) => csv.at_row_start(),
            Self::Text(text) => text.at_row_start(),
        }
    }

    /// Whether a row must be walked although nothing hints at it: it is written with escapes.
    fn hides(&self, row: &[u8]) -> bool {
        match self {
            Self::Binary(_) => false,
            Self::Csv(csv) => csv.hides(row),
            Self::Text(text) => text.hides(row),
        }
    }
}

/// COPY data under a plan.
pub(crate) struct CopyMask<G: Guard> {
    rows: Rows<G::Plan>,
    format: Format,
    /// The beginning of a row that goes on in the next frame.
    carried: Vec<u8>,
    /// In the middle of a row, or frame, that is too large to be gathered.
    streaming: bool,
    splices: Vec<Splice>,
}

impl<G: Guard> CopyMask<G> {
    /// For COPY data of this shape.
    ///
    /// # Errors
    /// A fault when the guard's reading of the statement and the server's differ, or when the client's
    /// encoding may hide separators inside characters.
    pub(crate) fn new(
        guard: &G,
        plan: G::Plan,
        syntax: CopySyntax,
        null: Box<[u8]>,
        shape: CopyShape,
        unsafe_encoding: bool,
    ) -> Result<Self, Fault> {
        if shape.binary != matches!(syntax, CopySyntax::Binary) {
            let text = "the format of COPY data is not the one that its statement was read to ask for";
            return Err(Fault::new(Culprit::Gateway, b"XX000", "copy_format", text));
        }
        if unsafe_encoding && !shape.binary {
            let text = "COPY under a mask needs a client_encoding without ASCII bytes inside characters, such as UTF8";
            return Err(Fault::new(Culprit::Gateway, b"0A000", "copy_encoding", text));
        }
        let format = match syntax {
            CopySyntax::Binary => Format::Binary(Binary::new()),
            CopySyntax::Csv { delimiter, quote, escape, header } => {
                Format::Csv(Csv::new(delimiter, quote, escape, header, null))
            }
            CopySyntax::Text { delimiter, header } => Format::Text(Text::new(delimiter, header, null)),
        };
        let rows = Rows::new(guard, plan, shape.columns);
        Ok(Self { rows, format, carried: Vec::new(), streaming: false, splices: Vec::new() })
    }

    /// Masks the whole CopyData frames in `chunk[range]` and passes them on.
    ///
    /// # Errors
    /// A fault of the server when a row does not fit its description.
    pub(crate) fn batch(
        &mut self,
        chunk: &mut [u8],
        range: Range<usize>,
        guard: &mut G,
        hits: &mut Vec<u32>,
        segments: &mut Segments,
    ) -> Result<(), Fault> {
        let batch = chunk.get_mut(range.clone()).ok_or_else(malformed_copy)?;
        rows::hints(&self.rows, batch, guard, hits);
        let mut left = Hits::new(hits);
        let mut passed = 0;
        let mut at = 0;
        while let Some(header) = Header::peek(batch.get(at..).unwrap_or_default()).map_err(|_| malformed_copy())? {
            let end = at + header.total();
            if self.rows.every_row || !self.is_plain() || self.concerns(batch, at + HEADER_BYTES..end, &mut left) {
                let payload = batch.get_mut(at + HEADER_BYTES..end).ok_or_else(malformed_copy)?;
                segments.push_chunk(range.start + passed..range.start + at);
                passed = if self.frame(payload, guard, Some((left, at + HEADER_BYTES)), segments)? { at } else { end };
            }
            at = end;
        }
        segments.push_chunk(range.start + passed..range.end);
        Ok(())
    }

    /// Masks one gathered frame and passes it on.
    ///
    /// # Errors
    /// A fault of the server when a row does not fit its description.
    pub(crate) fn gathered(
        &mut self,
        frame: &mut [u8],
        guard: &mut G,
        hits: &mut Vec<u32>,
        segments: &mut Segments,
    ) -> Result<(), Fault> {
        let payload = frame.get_mut(HEADER_BYTES..).ok_or_else(malformed_copy)?;
        rows::hints(&self.rows, payload, guard, hits);
        if self.frame(payload, guard, Some((Hits::new(hits), 0)), segments)? {
            segments.push_owned(frame);
        }
        Ok(())
    }

    /// Whether the next byte starts a row that needs no special care.
    fn is_plain(&self) -> bool {
        self.carried.is_empty() && !self.streaming && !matches!(&self.format, Format::Binary(_))
    }

    /// Whether a detector may find something in the payload; if not, and it is one whole row, it passes.
    fn concerns(&mut self, batch: &[u8], payload: Range<usize>, hits: &mut Hits<'_>) -> bool {
        let bytes = batch.get(payload.clone()).unwrap_or_default();
        // Only rows as PostgreSQL sends them, one a frame, may be skipped without being read.
        if let Format::Text(text) = &self.format {
            return hits.any(&payload) || !text.is_plain_line(bytes);
        }
        let one_row = bytes.last() == Some(&b'\n') && memchr::memchr(b'\n', bytes) == Some(bytes.len() - 1);
        hits.any(&payload) || !one_row || self.format.hides(bytes) || self.has_header()
    }

    fn has_header(&self) -> bool {
        match &self.format {
            Format::Csv(csv) => csv.header,
            Format::Text(text) => text.header,
            Format::Binary(_) => true,
        }
    }

    /// Masks the payload of one frame. `true`: the frame passes where it lies; `false`: what is to be sent
    /// of it was pushed. `hints` are about bytes in which the payload lies at the given offset.
    fn frame(
        &mut self,
        payload: &mut [u8],
        guard: &mut G,
        hints: Option<(Hits<'_>, usize)>,
        segments: &mut Segments,
    ) -> Result<bool, Fault> {
        self.streaming &= !self.format.at_row_start();
        if self.streaming {
            let end = self.format.stream(payload, true, &self.rows, guard)?;
            let (row, rest) = payload.split_at_mut(end);
            segments.write_owned(|owned| frame::write(owned, server::COPY_DATA, |owned| owned.extend_from_slice(row)));
            if !rest.is_empty() {
                self.streaming = false;
                self.own(rest, guard, segments)?;
            }
            return Ok(false);
        }
        if !self.carried.is_empty() {
            self.carry(payload, guard, segments)?;
            return Ok(false);
        }
        let whole = self.whole_rows(payload, guard, hints)?;
        if whole == payload.len() && self.splices.is_empty() {
            return Ok(true);
        }
        self.emit(payload, whole, segments);
        self.carried.extend_from_slice(payload.get(whole..).unwrap_or_default());
        Ok(false)
    }

    /// Like [`Self::frame`] for bytes that are not in the chunk.
    fn own(&mut self, payload: &mut [u8], guard: &mut G, segments: &mut Segments) -> Result<(), Fault> {
        if self.frame(payload, guard, None, segments)? {
            segments
                .write_owned(|owned| frame::write(owned, server::COPY_DATA, |owned| owned.extend_from_slice(payload)));
        }
        Ok(())
    }

    /// Adds to a carried row; once it is whole it leaves, and the rest of the payload after it.
    fn carry(&mut self, payload: &[u8], guard: &mut G, segments: &mut Segments) -> Result<(), Fault> {
        let mut bytes = std::mem::take(&mut self.carried);
        bytes.extend_from_slice(payload);
        if let Some(end) = self.format.end(&bytes)? {
            let (row, rest) = bytes.split_at_mut(end);
            self.row(row, guard)?;
            self.emit(row, row.len(), segments);
            if !rest.is_empty() {
                self.own(rest, guard, segments)?;
            }
        } else if bytes.len() > limits::GATHER_BYTES {
            self.format.stream(&mut bytes, false, &self.rows, guard)?;
            segments
                .write_owned(|owned| frame::write(owned, server::COPY_DATA, |owned| owned.extend_from_slice(&bytes)));
            self.streaming = true;
        } else {
            self.carried = bytes;
        }
        Ok(())
    }

    /// Masks one row, with hints of its own.
    fn row(&mut self, row: &mut [u8], guard: &mut G) -> Result<(), Fault> {
        let mut hits = Vec::new();
        rows::hints(&self.rows, row, guard, &mut hits);
        self.splices.clear();
        let mut cells = Cells { rows: &self.rows, guard, hits: Hits::new(&hits), base: 0, splices: &mut self.splices };
        self.format.mask(row, &mut cells)
    }

    /// Masks the whole rows at the start of `payload`; returns where they end.
    fn whole_rows(
        &mut self,
        payload: &mut [u8],
        guard: &mut G,
        hints: Option<(Hits<'_>, usize)>,
    ) -> Result<usize, Fault> {
        let mut own = Vec::new();
        let (hits, offset) = match hints {
            Some(hints) => hints,
            None => {
                rows::hints(&self.rows, payload, guard, &mut own);
                (Hits::new(&own), 0)
            }
        };
        self.splices.clear();
        let mut at = 0;
        while at < payload.len() {
            let rest = payload.get_mut(at..).unwrap_or_default();
            let base = offset + at;
            let mut cells = Cells { rows: &self.rows, guard, hits, base, splices: &mut self.splices };
            let Some(length) = self.format.first(rest, &mut cells)? else { break };
            at += length;
        }
        // Splices are about the payload from here on.
        for splice in &mut self.splices {
            splice.at = splice.at.start - offset..splice.at.end - offset;
        }
        Ok(at)
    }

    /// Sends `payload[..end]` with its splices as one frame.
    fn emit(&mut self, payload: &[u8], end: usize, segments: &mut Segments) {
        if end == 0 {
            return;
        }
        let splices = &self.splices;
        segments.write_owned(|owned| {
            frame::write(owned, server::COPY_DATA, |owned| {
                let mut copied = 0;
                for splice in splices {
                    owned.extend_from_slice(payload.get(copied..splice.at.start).unwrap_or_default());
                    owned.extend_from_slice(&splice.with);
                    copied = splice.at.end;
                }
                owned.extend_from_slice(payload.get(copied..end).unwrap_or_default());
            });
        });
    }

    /// A frame that is too large to be gathered begins: what is carried leaves first.
    ///
    /// # Errors
    /// A fault of the server when a row does not fit its description.
    pub(crate) fn start_stream(&mut self, guard: &mut G, segments: &mut Segments) -> Result<(), Fault> {
        let mut bytes = std::mem::take(&mut self.carried);
        if !bytes.is_empty() {
            self.format.stream(&mut bytes, false, &self.rows, guard)?;
            segments
                .write_owned(|owned| frame::write(owned, server::COPY_DATA, |owned| owned.extend_from_slice(&bytes)));
        }
        self.streaming = true;
        Ok(())
    }

    /// Masks the next piece of such a frame in place.
    ///
    /// # Errors
    /// A fault of the server when a row does not fit its description.
    pub(crate) fn stream(&mut self, piece: &mut [u8], guard: &mut G) -> Result<(), Fault> {
        self.format.stream(piece, false, &self.rows, guard).map(|_| ())
    }

    /// CopyDone: no row may be left half.
    ///
    /// # Errors
    /// A fault of the server when one is.
    pub(crate) fn finish(&mut self, guard: &mut G, segments: &mut Segments) -> Result<(), Fault> {
        let mut bytes = std::mem::take(&mut self.carried);
        if bytes.is_empty() {
            return if self.streaming && !self.format.at_row_start() { Err(malformed_copy()) } else { Ok(()) };
        }
        if matches!(self.format, Format::Binary(_)) {
            return Err(malformed_copy());
        }
        // A last line without its end.
        self.row(&mut bytes, guard)?;
        self.emit(&bytes, bytes.len(), segments);
        Ok(())
    }
}
