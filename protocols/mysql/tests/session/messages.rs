//! Messages of both sides, made by hand from the protocol's documentation.

/// One packet.
pub(crate) fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    assert!(payload.len() < 0xff_ffff);
    [&[a, b, c, seq][..], payload].concat()
}

/// A length-encoded string.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let [a, b, c, d, ..] = bytes.len().to_le_bytes();
    let mut out = match bytes.len() {
        0..=250 => vec![a],
        251..=0xffff => vec![0xfc, a, b],
        0x1_0000..=0xff_ffff => vec![0xfd, a, b, c],
        _ => vec![0xfe, a, b, c, d, 0, 0, 0, 0],
    };
    out.extend_from_slice(bytes);
    out
}

/// The client's messages.
pub(crate) mod c {
    use super::packet;

    pub(crate) fn command(command: u8, body: &[u8]) -> Vec<u8> {
        packet(0, &[&[command], body].concat())
    }

    pub(crate) fn query(sql: &str) -> Vec<u8> {
        command(3, sql.as_bytes())
    }

    pub(crate) fn prepare(sql: &str) -> Vec<u8> {
        command(0x16, sql.as_bytes())
    }

    /// `rest`: what follows the iteration count.
    pub(crate) fn execute(id: u32, flags: u8, rest: &[u8]) -> Vec<u8> {
        command(0x17, &[&id.to_le_bytes()[..], &[flags, 1, 0, 0, 0], rest].concat())
    }

    pub(crate) fn long_data(id: u32, parameter: u16, data: &[u8]) -> Vec<u8> {
        command(0x18, &[&id.to_le_bytes()[..], &parameter.to_le_bytes(), data].concat())
    }

    pub(crate) fn close(id: u32) -> Vec<u8> {
        command(0x19, &id.to_le_bytes())
    }

    pub(crate) fn reset(id: u32) -> Vec<u8> {
        command(0x1a, &id.to_le_bytes())
    }

    pub(crate) fn fetch(id: u32, rows: u32) -> Vec<u8> {
        command(0x1c, &[id.to_le_bytes(), rows.to_le_bytes()].concat())
    }

    pub(crate) fn ping() -> Vec<u8> {
        command(0x0e, b"")
    }
}

/// The server's messages. Each takes the sequence id from `seq` and counts it on.
pub(crate) struct S {
    pub(crate) seq: u8,
    pub(crate) deprecate_eof: bool,
}

pub(crate) const MORE: u16 = 8;
pub(crate) const CURSOR: u16 = 0x40;

impl S {
    pub(crate) fn new(deprecate_eof: bool) -> Self {
        Self { seq: 1, deprecate_eof }
    }

    pub(crate) fn raw(&mut self, payload: &[u8]) -> Vec<u8> {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        packet(seq, payload)
    }

    pub(crate) fn ok(&mut self, rows: u8, status: u16) -> Vec<u8> {
        let [a, b] = (status | 2).to_le_bytes();
        self.raw(&[0, rows, 0, a, b, 0, 0])
    }

    pub(crate) fn err(&mut self, code: u16, text: &str) -> Vec<u8> {
        self.raw(&[&[0xff][..], &code.to_le_bytes(), b"#42000", text.as_bytes()].concat())
    }

    /// The end of rows.
    pub(crate) fn end(&mut self, status: u16) -> Vec<u8> {
        let [a, b] = (status | 2).to_le_bytes();
        let payload: &[u8] = if self.deprecate_eof { &[0xfe, 0, 0, a, b, 0, 0] } else { &[0xfe, 0, 0, a, b] };
        self.raw(payload)
    }

    /// The end of definitions, where the dialect has one.
    pub(crate) fn eof(&mut self, status: u16) -> Vec<u8> {
        if self.deprecate_eof { Vec::new() } else { self.end(status) }
    }

    pub(crate) fn column(&mut self, name: &str, kind: u8) -> Vec<u8> {
        use super::messages::string;
        let mut payload = Vec::new();
        for field in ["def", "shop", "c", "customers", name, name] {
            payload.extend(string(field.as_bytes()));
        }
        payload.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
        self.raw(&payload)
    }

    /// Count, definitions and what ends them.
    pub(crate) fn columns(&mut self, columns: &[(&str, u8)]) -> Vec<u8> {
        let mut out = self.raw(&[u8::try_from(columns.len()).unwrap()]);
        for (name, kind) in columns {
            out.extend(self.column(name, *kind));
        }
        out.extend(self.eof(0));
        out
    }

    /// Text columns.
    pub(crate) fn texts(&mut self, names: &[&str]) -> Vec<u8> {
        let columns: Vec<(&str, u8)> = names.iter().map(|name| (*name, 0xfd)).collect();
        self.columns(&columns)
    }

    pub(crate) fn row(&mut self, cells: &[Option<&[u8]>]) -> Vec<u8> {
        self.raw(&text_row(cells))
    }

    /// A binary row from whole fields; `None` is NULL.
    pub(crate) fn binary_row(&mut self, fields: &[Option<&[u8]>]) -> Vec<u8> {
        self.raw(&binary_row(fields))
    }

    /// The reply to COM_STMT_PREPARE.
    pub(crate) fn prepared(&mut self, id: u32, columns: &[&str], parameters: u16) -> Vec<u8> {
        let count = u16::try_from(columns.len()).unwrap();
        let fixed = [&[0][..], &id.to_le_bytes(), &count.to_le_bytes(), &parameters.to_le_bytes(), &[0, 0, 0]];
        let mut out = self.raw(&fixed.concat());
        for _ in 0..parameters {
            out.extend(self.column("?", 0xfd));
        }
        if parameters > 0 {
            out.extend(self.eof(0));
        }
        for name in columns {
            out.extend(self.column(name, 0xfd));
        }
        if !columns.is_empty() {
            out.extend(self.eof(0));
        }
        out
    }
}

pub(crate) fn text_row(cells: &[Option<&[u8]>]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.map_or(vec![0xfb], string)).collect()
}

pub(crate) fn binary_row(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = vec![0; 1 + (fields.len() + 9) / 8];
    for (index, field) in fields.iter().enumerate() {
        match field {
            None => out[1 + (index + 2) / 8] |= 1 << ((index + 2) % 8),
            Some(bytes) => out.extend_from_slice(bytes),
        }
    }
    out
}
