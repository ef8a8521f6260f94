//! Reads a Bind message while it streams by, whatever its size.
//!
//! Kept are the names, up to [`limits::AUDIT_PARAMETERS`] parameters of which up to
//! [`limits::AUDIT_PARAMETER_BYTES`] each, and the result formats at the end; nothing else is held. It may
//! assume that the frame's length is known; it must never hold more than those limits.
//!
//! ```text
//!   names (gathered by the caller) ─► formats ─► parameters (length, bytes)* ─► result formats ─► end
//! ```
//!
//! Source: PostgreSQL manual, "Message Formats", Bind.

use wire::cursor::{Cursor, Malformed};
use wire::limits;
use wire::parameters::{Parameter, Parameters};
use wire::value::Encoding;

use crate::description::{self, Formats};

/// Most entries that a list in Bind can have, by its 16-bit count.
const LIST_LIMIT: usize = 65_535;

/// The parameters and result formats of a Bind that lies whole in one piece, which nearly all do: the same as a
/// [`BindReader`] makes of it, without its steps.
///
/// # Errors
/// [`Malformed`] when the body is not what its counts promise.
pub(crate) fn whole(body: &[u8]) -> Result<(Parameters, Formats), Malformed> {
    let mut cursor = Cursor::new(body);
    let formats = codes(&mut cursor)?;
    let count = usize::from(cursor.u16("Bind parameter count")?);
    let mut parameters = Parameters::new();
    for index in 0..count {
        let length = cursor.i32("Bind parameter length")?;
        parameters.push(match usize::try_from(length) {
            Ok(total_bytes) => Parameter::Value {
                bytes: cursor.bytes(total_bytes, "Bind parameter")?,
                total_bytes,
                encoding: format_of(formats, index)?,
                type_name: "",
            },
            Err(_) if length == -1 => Parameter::Null,
            Err(_) => return Err(Malformed { what: "Bind parameter length" }),
        });
    }
    let results = codes(&mut cursor)?;
    if !cursor.is_empty() {
        return Err(Malformed { what: "Bind end" });
    }
    let results = match results {
        [] => Formats::from_codes(&[]),
        [one] => Formats::from_codes(&[description::encoding(i16::from_be_bytes(*one))?]),
        all => Formats::from_codes(&encodings(all)?),
    };
    Ok((parameters, results))
}

/// A list of format codes, each known to exist.
fn codes<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [[u8; 2]], Malformed> {
    let count = usize::from(cursor.u16("Bind format count")?);
    let (codes, _) = cursor.bytes(count * 2, "Bind formats")?.as_chunks::<2>();
    for code in codes {
        description::encoding(i16::from_be_bytes(*code))?;
    }
    Ok(codes)
}

fn encodings(codes: &[[u8; 2]]) -> Result<Vec<Encoding>, Malformed> {
    codes.iter().map(|code| description::encoding(i16::from_be_bytes(*code))).collect()
}

/// The format of one parameter: none means text, one counts for all.
fn format_of(codes: &[[u8; 2]], index: usize) -> Result<Encoding, Malformed> {
    let code = match codes {
        [] => None,
        [all] => Some(all),
        each => each.get(index),
    };
    code.map_or(Ok(Encoding::Text), |code| description::encoding(i16::from_be_bytes(*code)))
}

#[derive(Clone, Copy, Debug)]
enum Step {
    FormatCount,
    Format { left: usize },
    ParameterCount,
    ParameterLength { left: usize },
    Parameter { left: usize, bytes_left: usize, total: usize },
    ResultCount,
    Result { left: usize },
    End,
}

/// What is read of one Bind after its names.
#[derive(Debug)]
pub(crate) struct BindReader {
    step: Step,
    /// A number that began in an earlier piece.
    partial: [u8; 4],
    partial_bytes: usize,
    parameter_formats: Vec<Encoding>,
    parameters: Parameters,
    parameter: Vec<u8>,
    result_formats: Vec<Encoding>,
}

impl BindReader {
    /// At the count of parameter formats, right after the names.
    pub(crate) fn new() -> Self {
        Self {
            step: Step::FormatCount,
            partial: [0; 4],
            partial_bytes: 0,
            parameter_formats: Vec::new(),
            parameters: Parameters::new(),
            parameter: Vec::new(),
            result_formats: Vec::new(),
        }
    }

    /// Reads the next piece of the body.
    ///
    /// # Errors
    /// [`Malformed`] on a format code or length that does not exist, or bytes past the end.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) -> Result<(), Malformed> {
        while !piece.is_empty() {
            match self.step {
                Step::Parameter { left, bytes_left, total } => self.value(&mut piece, left, bytes_left, total),
                Step::ParameterLength { left } => {
                    let Some(number) = self.number::<4>(&mut piece) else { return Ok(()) };
                    self.length(left, i32::from_be_bytes(number))?;
                }
                Step::End => return Err(Malformed { what: "Bind end" }),
                _ => {
                    let Some(number) = self.number::<2>(&mut piece) else { return Ok(()) };
                    self.short(i16::from_be_bytes(number))?;
                }
            }
        }
        Ok(())
    }

    /// The parameters and result formats, once the whole body was read.
    ///
    /// # Errors
    /// [`Malformed`] when the body ended early.
    pub(crate) fn finish(self) -> Result<(Parameters, Formats), Malformed> {
        match self.step {
            Step::End => Ok((self.parameters, Formats::from_codes(&self.result_formats))),
            _ => Err(Malformed { what: "Bind end" }),
        }
    }

    /// A big-endian number, over pieces if need be.
    fn number<const N: usize>(&mut self, piece: &mut &[u8]) -> Option<[u8; N]> {
        if self.partial_bytes == 0
            && let Some((number, rest)) = piece.split_first_chunk::<N>()
        {
            *piece = rest;
            return Some(*number);
        }
        while self.partial_bytes < N {
            let (byte, rest) = piece.split_first()?;
            if let Some(slot) = self.partial.get_mut(self.partial_bytes) {
                *slot = *byte;
            }
            self.partial_bytes += 1;
            *piece = rest;
        }
        self.partial_bytes = 0;
        self.partial.first_chunk::<N>().copied()
    }

    fn short(&mut self, number: i16) -> Result<(), Malformed> {
        // Counts are unsigned on the wire in PostgreSQL 13 and later for parameters; formats follow them.
        let count = usize::from(u16::from_be_bytes(number.to_be_bytes())).min(LIST_LIMIT);
        self.step = match self.step {
            Step::FormatCount if count == 0 => Step::ParameterCount,
            Step::FormatCount => Step::Format { left: count },
            Step::Format { left } => {
                self.parameter_formats.push(description::encoding(number)?);
                if left > 1 { Step::Format { left: left - 1 } } else { Step::ParameterCount }
            }
            Step::ParameterCount => Self::before_parameter(count),
            Step::ResultCount if count == 0 => Step::End,
            Step::ResultCount => Step::Result { left: count },
            Step::Result { left } => {
                self.result_formats.push(description::encoding(number)?);
                if left > 1 { Step::Result { left: left - 1 } } else { Step::End }
            }
            other => other,
        };
        Ok(())
    }

    fn before_parameter(left: usize) -> Step {
        if left == 0 { Step::ResultCount } else { Step::ParameterLength { left } }
    }

    fn length(&mut self, left: usize, length: i32) -> Result<(), Malformed> {
        match usize::try_from(length) {
            Ok(total) => {
                self.step = Step::Parameter { left, bytes_left: total, total };
                if total == 0 {
                    self.keep(&[], 0);
                    self.step = Self::before_parameter(left - 1);
                }
            }
            Err(_) if length == -1 => {
                self.parameters.push(Parameter::Null);
                self.step = Self::before_parameter(left - 1);
            }
            Err(_) => return Err(Malformed { what: "Bind parameter length" }),
        }
        Ok(())
    }

    fn value(&mut self, piece: &mut &[u8], left: usize, bytes_left: usize, total: usize) {
        let taken = piece.len().min(bytes_left);
        let (value, rest) = piece.split_at(taken);
        *piece = rest;
        if taken == total {
            self.keep(value, total);
        } else {
            if self.parameters.kept() < limits::AUDIT_PARAMETERS {
                let room = limits::AUDIT_PARAMETER_BYTES.saturating_sub(self.parameter.len());
                self.parameter.extend_from_slice(value.get(..room).unwrap_or(value));
            }
            if taken < bytes_left {
                self.step = Step::Parameter { left, bytes_left: bytes_left - taken, total };
                return;
            }
            let whole = std::mem::take(&mut self.parameter);
            self.keep(&whole, total);
        }
        self.step = Self::before_parameter(left - 1);
    }

    fn keep(&mut self, bytes: &[u8], total_bytes: usize) {
        let encoding = match self.parameter_formats.as_slice() {
            [] => Encoding::Text,
            [all] => *all,
            each => each.get(self.parameters.total()).copied().unwrap_or(Encoding::Text),
        };
        self.parameters.push(Parameter::Value { bytes, total_bytes, encoding, type_name: "" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"\0\x02\0\0\0\x01\0\x03\0\0\0\x05hello\xff\xff\xff\xff\0\0\0\0\0\x02\0\x01\0\0";

    #[test]
    fn any_split_reads_the_same_parameters() {
        let mut whole = BindReader::new();
        whole.feed(BODY).unwrap();
        let (parameters, formats) = whole.finish().unwrap();
        let text =
            |bytes| Parameter::Value { bytes, total_bytes: bytes.len(), encoding: Encoding::Text, type_name: "" };
        assert_eq!(parameters.iter().collect::<Vec<_>>(), [text(b"hello"), Parameter::Null, text(b"")]);
        assert_eq!(formats.of(0), Some(Encoding::PgBinary));
        for split in 0..=BODY.len() {
            for second in split..=BODY.len() {
                let mut reader = BindReader::new();
                reader.feed(&BODY[..split]).unwrap();
                reader.feed(&BODY[split..second]).unwrap();
                reader.feed(&BODY[second..]).unwrap();
                assert_eq!(reader.finish().unwrap(), (parameters.clone(), formats.clone()));
            }
        }
    }

    #[test]
    fn a_bind_in_one_piece_reads_as_one_in_many_and_is_refused_alike() {
        let long = {
            let mut body = b"\0\x02\0\x01\0\0\0\x02".to_vec();
            body.extend_from_slice(&300_u32.to_be_bytes());
            body.extend_from_slice(&[7; 300]);
            body.extend_from_slice(b"\0\0\0\x01x\0\0");
            body
        };
        let many = {
            let mut body = b"\0\x01\0\x01\x01\0".to_vec();
            body.extend(std::iter::repeat_n(b"\0\0\0\x01y", 256).flatten());
            body.extend_from_slice(b"\0\x03\0\0\0\x01\0\0");
            body
        };
        let bodies = [BODY.to_vec(), long, many, b"\0\0\0\0\0\0".to_vec(), b"\0\0\0\0\0\x01\0\x01".to_vec()];
        for body in bodies {
            // Cut short, with a byte more, and with each byte changed.
            let mut variants: Vec<Vec<u8>> = (0..body.len()).map(|end| body[..end].to_vec()).collect();
            variants.extend((0..body.len()).flat_map(|at| {
                [0, 1, 0x7f, 0xff].map(|byte| {
                    let mut changed = body.clone();
                    changed[at] = byte;
                    changed
                })
            }));
            variants.push([&body[..], b"\0"].concat());
            variants.push(body);
            for variant in variants {
                let mut reader = BindReader::new();
                let steps = reader.feed(&variant).and_then(|()| reader.finish());
                match (whole(&variant), steps) {
                    (Ok(whole), Ok(steps)) => assert_eq!(whole, steps, "{variant:?}"),
                    (Err(_), Err(_)) => {}
                    (whole, steps) => panic!("{variant:?}: {whole:?}, {steps:?}"),
                }
            }
        }
    }

    #[test]
    fn a_long_parameter_is_cut_and_its_length_kept() {
        let mut body = b"\0\x01\0\x01\0\x01".to_vec();
        body.extend_from_slice(&1000_u32.to_be_bytes());
        body.extend_from_slice(&[7; 1000]);
        body.extend_from_slice(b"\0\0");
        let mut reader = BindReader::new();
        for piece in body.chunks(100) {
            reader.feed(piece).unwrap();
        }
        let (parameters, _) = reader.finish().unwrap();
        let Some(Parameter::Value { bytes, total_bytes, encoding, .. }) = parameters.iter().next() else {
            panic!("null")
        };
        assert_eq!((bytes.len(), total_bytes, encoding), (256, 1000, Encoding::PgBinary));
    }

    #[test]
    fn lies_about_lengths_are_malformed() {
        for body in [&b"\0\0\0\0"[..], b"\0\x01\0\x05", b"\0\0\0\x01\xff\xff\xff\xfe", b"\0\0\0\0\0\0x"] {
            let mut reader = BindReader::new();
            let fed = reader.feed(body);
            assert!(fed.is_err() || reader.finish().is_err(), "{body:?}");
        }
    }
}
