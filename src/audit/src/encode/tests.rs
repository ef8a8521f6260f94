//! Golden lines: the log's format is an interface.

use super::*;
use crate::record::{Text, Typed, Verdict};

const TIME: u64 = 1_795_201_467_123_456_789;

fn line(record: &Record<'_>) -> String {
    let mut out = b"before\n".to_vec();
    encode(record, &mut out);
    let text = String::from_utf8(out).unwrap();
    let line = text.strip_prefix("before\n").unwrap().strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'));
    serde_json::from_str::<serde_json::Value>(line).unwrap();
    line.to_owned()
}

fn ana() -> Identity {
    Identity::encode(&Subject {
        session: "66f1a2b3-1-1c",
        client: "10.0.0.7:51234",
        listener: "orders",
        user: b"ana",
        groups: &["support", "eu"],
        database: b"shop",
        application: b"psql",
    })
}

fn stranger() -> Identity {
    Identity::encode(&Subject {
        session: "66f1a2b3-0-1",
        client: "[::1]:40000",
        listener: "orders",
        user: b"",
        groups: &[],
        database: b"",
        application: b"",
    })
}

fn summary(statement: Text<'_>, rule: Option<&str>) -> Summary {
    let verdict = if rule.is_some() { Verdict::Deny } else { Verdict::Allow };
    Summary::encode(&Judged {
        statement,
        kinds: &["select"],
        relations: &["public.customers"],
        verdict,
        rule,
        reported: &[],
    })
}

fn plain<'a>(identity: &'a Identity, summary: &'a Summary) -> Statement<'a> {
    Statement {
        unix_ns: TIME,
        identity,
        summary,
        number: 3,
        part: 0,
        parameters: &[],
        masks: &[],
        oversized_cells: 0,
        local_file: None,
        rows: 0,
        bytes_in: 0,
        bytes_out: 0,
        tag: b"",
        sqlstate: None,
        error_code: None,
        server_ns: 0,
        gateway_ns: 0,
        suspended: false,
        abandoned: false,
    }
}

#[test]
fn parameters_tell_their_number_and_types_where_they_are_known() {
    let (identity, summary) = (ana(), summary(b"SELECT 1"[..].into(), None));
    let seen = |parameters: &dyn Parameters| {
        let text = line(&Record::Statement(Statement { parameters, ..plain(&identity, &summary) }));
        let rest = text.split_once(r#""verdict":"allow","#).map(|(_, rest)| rest.to_owned()).unwrap();
        rest.split_once(r#""rows""#).map(|(shown, _)| shown.to_owned()).unwrap()
    };
    let one = Parameter::Text(b"1"[..].into());
    assert_eq!(seen(&[]), "");
    assert_eq!(seen(&Typed(&[], 3)), r#""parameters":[],"parameters_total":3,"#);
    assert_eq!(seen(&[one]), r#""parameters":["1"],"#);
    assert_eq!(
        seen(&Typed(&[(one, "int"), (Parameter::Null, ""), (Parameter::Masked, "char")], 3)),
        r#""parameters":["1",null,{"masked":true}],"parameter_types":["int",null,"char"],"#
    );
    assert_eq!(
        seen(&Typed(&[(Parameter::Null, ""), (one, "int")], 70)),
        r#""parameters":[null,"1"],"parameters_total":70,"parameter_types":[null,"int"],"#
    );
}

#[test]
fn a_masked_select() {
    let (identity, summary) = (ana(), summary(b"SELECT *\nFROM customers WHERE name = $1"[..].into(), None));
    let record = Statement {
        part: 1,
        parameters: &Typed(
            &[
                Parameter::Text(b"O'Neil \"x\""[..].into()),
                Parameter::Null,
                Parameter::Masked,
                Parameter::Text(Text::cut(b"abcdef", 6, 3)),
                Parameter::Binary([0x00, 0xff][..].into()),
                Parameter::Binary(Text::cut(&[1, 2, 3], 3, 2)),
            ]
            .map(|parameter| (parameter, "")),
            9,
        ),
        masks: &[MaskCount { rule: "cards", cells: 5 }, MaskCount { rule: "e-mail", cells: 2 }],
        oversized_cells: 1,
        local_file: None,
        rows: 5,
        bytes_in: 61,
        bytes_out: 840,
        tag: b"SELECT 5",
        server_ns: 1_234_567,
        gateway_ns: 4_213,
        suspended: true,
        ..plain(&identity, &summary)
    };
    assert_eq!(
        line(&Record::Statement(record)),
        concat!(
            r#"{"event":"statement","time":"2026-11-20T19:04:27.123456Z","session":"66f1a2b3-1-1c","#,
            r#""client":"10.0.0.7:51234","listener":"orders","user":"ana","groups":["support","eu"],"#,
            r#""database":"shop","application":"psql","number":3,"part":1,"#,
            r#""statement":"SELECT *\nFROM customers WHERE name = $1","kinds":["select"],"#,
            r#""relations":["public.customers"],"verdict":"allow","#,
            r#""parameters":["O'Neil \"x\"",null,{"masked":true},{"text":"abc","total_bytes":6,"cut":true},"#,
            r#"{"hex":"00ff"},{"hex":"0102","total_bytes":3,"cut":true}],"parameters_total":9,"#,
            r#""masks":[{"rule":"cards","cells":5},{"rule":"e-mail","cells":2}],"oversized_cells":1,"#,
            r#""rows":5,"bytes_in":61,"bytes_out":840,"tag":"SELECT 5","server_us":1234.567,"gateway_us":4.213,"#,
            r#""suspended":true}"#,
        )
    );
}

#[test]
fn a_refused_statement_with_bytes_that_are_not_utf8() {
    let identity = stranger();
    let summary = summary(Text { bytes: b"DROP \xff", total_bytes: 20_000 }, Some("no destructive DDL"));
    let record = Statement { sqlstate: Some(*b"42501"), abandoned: true, ..plain(&identity, &summary) };
    assert_eq!(
        line(&Record::Statement(record)),
        concat!(
            r#"{"event":"statement","time":"2026-11-20T19:04:27.123456Z","session":"66f1a2b3-0-1","#,
            r#""client":"[::1]:40000","listener":"orders","number":3,"#,
            r#""statement":"DROP \\xff","statement_escaped":true,"statement_bytes":20000,"statement_cut":true,"#,
            r#""kinds":["select"],"relations":["public.customers"],"verdict":"deny","rule":"no destructive DDL","#,
            r#""rows":0,"bytes_in":0,"bytes_out":0,"sqlstate":"42501","server_us":0.000,"gateway_us":0.000,"#,
            r#""abandoned":true}"#,
        )
    );
}

#[test]
fn the_life_of_a_session() {
    let identity = stranger();
    let who = r#""session":"66f1a2b3-0-1","client":"[::1]:40000","listener":"orders""#;
    let expect = |record: Record<'_>, event: &str, rest: &str| {
        let expected = format!(r#"{{"event":"{event}","time":"2026-11-20T19:04:27.123456Z",{who},{rest}}}"#);
        assert_eq!(line(&record), expected);
    };
    let (unix_ns, identity) = (TIME, &identity);
    expect(
        Record::Connect(Connect { unix_ns, identity, tls: "TLSv1.3", upstream_tls: "", auth: "gateway" }),
        "connect",
        r#""tls":"TLSv1.3","auth":"gateway""#,
    );
    expect(
        Record::LoginFailed(LoginFailed {
            unix_ns,
            identity,
            reason: "wrong_password",
            sqlstate: *b"28000",
            error_code: Some(1045),
        }),
        "login_failed",
        r#""reason":"wrong_password","sqlstate":"28000","error_code":1045"#,
    );
    expect(
        Record::Refused(Refused {
            unix_ns,
            identity,
            reason: "too_many_clients",
            sqlstate: Some(*b"53300"),
            error_code: None,
        }),
        "refused",
        r#""reason":"too_many_clients","sqlstate":"53300""#,
    );
    expect(
        Record::Fault(Fault {
            unix_ns,
            identity,
            culprit: "client",
            reason: "oversized_frame",
            message: "too long",
            sqlstate: *b"08P01",
            error_code: None,
        }),
        "fault",
        r#""culprit":"client","reason":"oversized_frame","message":"too long","sqlstate":"08P01""#,
    );
    expect(
        Record::Disconnect(Disconnect {
            unix_ns,
            identity,
            reason: "client_closed",
            duration_ns: 2_000_000,
            statements: 4,
            bytes_in: 5,
            bytes_out: 6,
        }),
        "disconnect",
        r#""reason":"client_closed","duration_us":2000.000,"statements":4,"bytes_in":5,"bytes_out":6"#,
    );
}

#[test]
fn reloads_and_gaps_belong_to_no_session() {
    let loaded = Reload { unix_ns: TIME, cause: "signal", generation: 2, problems: &[] };
    assert_eq!(
        line(&Record::Reload(loaded)),
        r#"{"event":"reload","time":"2026-11-20T19:04:27.123456Z","cause":"signal","loaded":true,"generation":2}"#
    );
    let problems = ["line 3: unknown key".to_owned()];
    let refused = Reload { problems: &problems, cause: "file", ..loaded };
    assert_eq!(
        line(&Record::Reload(refused)),
        concat!(
            r#"{"event":"reload","time":"2026-11-20T19:04:27.123456Z","cause":"file","loaded":false,"#,
            r#""generation":2,"problems":["line 3: unknown key"]}"#
        )
    );
    let gap = Gap { unix_ns: TIME, dropped: 12, error: "No space left on device" };
    assert_eq!(
        line(&Record::Gap(gap)),
        concat!(
            r#"{"event":"gap","time":"2026-11-20T19:04:27.123456Z","dropped":12,"#,
            r#""error":"No space left on device"}"#
        )
    );
}
