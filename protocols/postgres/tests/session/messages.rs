//! Builders of messages in both directions, written from the manual's "Message Formats", not from the
//! code under test.

/// One frame.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn z(text: &[u8]) -> Vec<u8> {
    [text, b"\0"].concat()
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn cells(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = short(values.len()).to_vec();
    for value in values {
        match value {
            None => out.extend_from_slice(&[0xff; 4]),
            Some(value) => {
                out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
                out.extend_from_slice(value);
            }
        }
    }
    out
}

/// Messages of the client.
pub(crate) mod c {
    use super::{cells, frame, short, z};

    pub(crate) fn query(sql: &str) -> Vec<u8> {
        frame(b'Q', &z(sql.as_bytes()))
    }

    pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
        frame(b'P', &[z(name.as_bytes()), z(sql.as_bytes()), vec![0, 0]].concat())
    }

    pub(crate) fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], results: &[u16]) -> Vec<u8> {
        let mut body = [z(portal.as_bytes()), z(statement.as_bytes()), vec![0, 0], cells(values)].concat();
        body.extend_from_slice(&short(results.len()));
        for code in results {
            body.extend_from_slice(&code.to_be_bytes());
        }
        frame(b'B', &body)
    }

    pub(crate) fn describe(target: u8, name: &str) -> Vec<u8> {
        frame(b'D', &[vec![target], z(name.as_bytes())].concat())
    }

    pub(crate) fn close(target: u8, name: &str) -> Vec<u8> {
        frame(b'C', &[vec![target], z(name.as_bytes())].concat())
    }

    pub(crate) fn execute(portal: &str, limit: u32) -> Vec<u8> {
        frame(b'E', &[z(portal.as_bytes()), limit.to_be_bytes().to_vec()].concat())
    }

    pub(crate) fn sync() -> Vec<u8> {
        frame(b'S', b"")
    }

    pub(crate) fn flush() -> Vec<u8> {
        frame(b'H', b"")
    }

    pub(crate) fn terminate() -> Vec<u8> {
        frame(b'X', b"")
    }

    pub(crate) fn copy_data(data: &[u8]) -> Vec<u8> {
        frame(b'd', data)
    }

    pub(crate) fn copy_done() -> Vec<u8> {
        frame(b'c', b"")
    }

    pub(crate) fn copy_fail(reason: &str) -> Vec<u8> {
        frame(b'f', &z(reason.as_bytes()))
    }

    pub(crate) fn function_call(oid: u32) -> Vec<u8> {
        frame(b'F', &[oid.to_be_bytes().to_vec(), vec![0, 0], cells(&[Some(b"arg")]), vec![0, 0]].concat())
    }
}

/// Messages of the server.
pub(crate) mod s {
    use super::{cells, frame, short, z};

    pub(crate) fn ready(status: u8) -> Vec<u8> {
        frame(b'Z', &[status])
    }

    pub(crate) fn complete(tag: &str) -> Vec<u8> {
        frame(b'C', &z(tag.as_bytes()))
    }

    pub(crate) fn empty() -> Vec<u8> {
        frame(b'I', b"")
    }

    pub(crate) fn parsed() -> Vec<u8> {
        frame(b'1', b"")
    }

    pub(crate) fn bound() -> Vec<u8> {
        frame(b'2', b"")
    }

    pub(crate) fn closed() -> Vec<u8> {
        frame(b'3', b"")
    }

    pub(crate) fn no_data() -> Vec<u8> {
        frame(b'n', b"")
    }

    pub(crate) fn suspended() -> Vec<u8> {
        frame(b's', b"")
    }

    pub(crate) fn parameters() -> Vec<u8> {
        frame(b't', &[0, 1, 0, 0, 0, 25])
    }

    /// Columns of type text, in the given format, from relation 16384.
    pub(crate) fn description(names: &[&str], format: u16) -> Vec<u8> {
        let mut body = short(names.len()).to_vec();
        for (index, name) in names.iter().enumerate() {
            body.extend(z(name.as_bytes()));
            body.extend(16_384_u32.to_be_bytes());
            body.extend(short(index + 1));
            body.extend(25_u32.to_be_bytes());
            body.extend([0xff; 6]);
            body.extend(format.to_be_bytes());
        }
        frame(b'T', &body)
    }

    pub(crate) fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
        frame(b'D', &cells(values))
    }

    fn report(kind: u8, severity: &str, code: &str, message: &str) -> Vec<u8> {
        let fields = [("S", severity), ("V", severity), ("C", code), ("M", message), ("D", "detail")];
        let mut body: Vec<u8> =
            fields.iter().flat_map(|(field, text)| z(format!("{field}{text}").as_bytes())).collect();
        body.push(0);
        frame(kind, &body)
    }

    pub(crate) fn error(code: &str, message: &str) -> Vec<u8> {
        report(b'E', "ERROR", code, message)
    }

    pub(crate) fn fatal(code: &str, message: &str) -> Vec<u8> {
        report(b'E', "FATAL", code, message)
    }

    pub(crate) fn notice(message: &str) -> Vec<u8> {
        report(b'N', "NOTICE", "00000", message)
    }

    pub(crate) fn setting(name: &str, value: &str) -> Vec<u8> {
        frame(b'S', &[z(name.as_bytes()), z(value.as_bytes())].concat())
    }

    pub(crate) fn notification() -> Vec<u8> {
        frame(b'A', &[vec![0, 0, 0, 9], z(b"channel"), z(b"payload")].concat())
    }

    fn copy(kind: u8, binary: bool, columns: usize) -> Vec<u8> {
        let mut body = vec![u8::from(binary)];
        body.extend(short(columns));
        for _ in 0..columns {
            body.extend(short(usize::from(binary)));
        }
        frame(kind, &body)
    }

    pub(crate) fn copy_in() -> Vec<u8> {
        copy(b'G', false, 2)
    }

    pub(crate) fn copy_out(binary: bool, columns: usize) -> Vec<u8> {
        copy(b'H', binary, columns)
    }

    pub(crate) fn copy_both() -> Vec<u8> {
        copy(b'W', false, 0)
    }

    pub(crate) fn copy_data(data: &[u8]) -> Vec<u8> {
        frame(b'd', data)
    }

    pub(crate) fn copy_done() -> Vec<u8> {
        frame(b'c', b"")
    }

    pub(crate) fn function_result(value: &[u8]) -> Vec<u8> {
        frame(b'V', &[u32::try_from(value.len()).unwrap().to_be_bytes().to_vec(), value.to_vec()].concat())
    }
}
