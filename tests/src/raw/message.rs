//! Messages of a client, as bytes: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
//!
//! What is right is easy to write, and [`framed`] writes what is wrong.

/// A message of any type with a right length.
///
/// # Panics
/// When the body is over 4 GiB.
#[must_use]
pub fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short body");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// A message whose length field says what it is told to.
#[must_use]
pub fn lying(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn text(value: &str) -> Vec<u8> {
    [value.as_bytes(), b"\0"].concat()
}

fn count(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("a short list").to_be_bytes()
}

fn untyped(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short body");
    [&length.to_be_bytes()[..], body].concat()
}

/// SSLRequest.
#[must_use]
pub fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103_u32.to_be_bytes())
}

/// GSSENCRequest.
#[must_use]
pub fn gssenc_request() -> Vec<u8> {
    untyped(&80_877_104_u32.to_be_bytes())
}

/// CancelRequest for a session whose BackendKeyData had this body (process id and key).
#[must_use]
pub fn cancel_request(key_data: &[u8]) -> Vec<u8> {
    untyped(&[&80_877_102_u32.to_be_bytes()[..], key_data].concat())
}

/// A start-up packet.
#[must_use]
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(text(name));
        body.extend(text(value));
    }
    body.push(0);
    untyped(&body)
}

/// Query.
#[must_use]
pub fn query(sql: &str) -> Vec<u8> {
    framed(b'Q', &text(sql))
}

/// Parse, without parameter types.
#[must_use]
pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    framed(b'P', &[text(name), text(sql), vec![0, 0]].concat())
}

/// Bind: parameters in text, all results in one format (0 text, 1 binary).
#[must_use]
pub fn bind(portal: &str, statement: &str, parameters: &[&str], result_format: u16) -> Vec<u8> {
    let mut body = [text(portal), text(statement)].concat();
    body.extend(count(0));
    body.extend(count(parameters.len()));
    for parameter in parameters {
        body.extend(u32::try_from(parameter.len()).expect("a short value").to_be_bytes());
        body.extend(parameter.as_bytes());
    }
    body.extend(count(1));
    body.extend(result_format.to_be_bytes());
    framed(b'B', &body)
}

/// Bind with parameters in text and any list of result formats.
#[must_use]
pub fn bind_with(portal: &str, statement: &str, parameters: &[String], formats: &[u16]) -> Vec<u8> {
    let mut body = [text(portal), text(statement)].concat();
    body.extend(count(0));
    body.extend(count(parameters.len()));
    for parameter in parameters {
        body.extend(u32::try_from(parameter.len()).expect("a short value").to_be_bytes());
        body.extend(parameter.as_bytes());
    }
    body.extend(count(formats.len()));
    for format in formats {
        body.extend(format.to_be_bytes());
    }
    framed(b'B', &body)
}

/// Bind without parameters, with a result format for each column.
#[must_use]
pub fn bind_formats(portal: &str, statement: &str, formats: &[u16]) -> Vec<u8> {
    let mut body = [text(portal), text(statement)].concat();
    body.extend(count(0));
    body.extend(count(0));
    body.extend(count(formats.len()));
    for format in formats {
        body.extend(format.to_be_bytes());
    }
    framed(b'B', &body)
}

/// Describe of a statement (`b'S'`) or portal (`b'P'`).
#[must_use]
pub fn describe(kind: u8, name: &str) -> Vec<u8> {
    framed(b'D', &[vec![kind], text(name)].concat())
}

/// Close of a statement (`b'S'`) or portal (`b'P'`).
#[must_use]
pub fn close(kind: u8, name: &str) -> Vec<u8> {
    framed(b'C', &[vec![kind], text(name)].concat())
}

/// Execute; a limit of 0 means all rows.
#[must_use]
pub fn execute(portal: &str, row_limit: u32) -> Vec<u8> {
    framed(b'E', &[text(portal), row_limit.to_be_bytes().to_vec()].concat())
}

/// Sync.
#[must_use]
pub fn sync() -> Vec<u8> {
    framed(b'S', b"")
}

/// Flush.
#[must_use]
pub fn flush() -> Vec<u8> {
    framed(b'H', b"")
}

/// Terminate.
#[must_use]
pub fn terminate() -> Vec<u8> {
    framed(b'X', b"")
}

/// CopyData.
#[must_use]
pub fn copy_data(data: &[u8]) -> Vec<u8> {
    framed(b'd', data)
}

/// CopyDone.
#[must_use]
pub fn copy_done() -> Vec<u8> {
    framed(b'c', b"")
}

/// CopyFail.
#[must_use]
pub fn copy_fail(reason: &str) -> Vec<u8> {
    framed(b'f', &text(reason))
}

/// FunctionCall with arguments and result in text.
#[must_use]
pub fn function_call(function: u32, arguments: &[&str]) -> Vec<u8> {
    let mut body = function.to_be_bytes().to_vec();
    body.extend(count(0));
    body.extend(count(arguments.len()));
    for argument in arguments {
        body.extend(u32::try_from(argument.len()).expect("a short value").to_be_bytes());
        body.extend(argument.as_bytes());
    }
    body.extend(count(0));
    framed(b'F', &body)
}

/// Parse, Bind, Describe, Execute of one statement through the unnamed statement and portal, without Sync.
#[must_use]
pub fn extended(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[], 0), describe(b'P', ""), execute("", 0)].concat()
}
