//! The log against fake disks.

use super::*;

const LINE: &[u8] = b"{\"n\":1}\n";

fn log(on_failure: OnFailure) -> Log {
    Log::new(LogSettings { shard: 2, sequence: 7, len: 0, rotate_bytes: 100, on_failure })
}

fn full_disk() -> io::Error {
    io::Error::other("No space left on device")
}

/// Polls until there is a batch to write.
fn batch(log: &mut Log, now: u64) -> (Vec<u8>, u64) {
    match log.poll(now) {
        Some(Action::Write { bytes, offset }) => (bytes, offset),
        other => panic!("expected a write, not {other:?}"),
    }
}

/// A disk that takes everything.
fn write_all(log: &mut Log, now: u64) -> Vec<u8> {
    let (bytes, _) = batch(log, now);
    let (copy, len) = (bytes.clone(), bytes.len());
    log.written(now, bytes, Ok(len));
    copy
}

#[test]
fn records_share_a_write_within_the_delay() {
    let (mut log, start) = (log(OnFailure::Refuse), 1_000);
    assert_eq!(log.poll(start), None);
    assert_eq!(log.deadline(start), None);
    assert!(log.push(LINE));
    assert_eq!(log.poll(start), None);
    assert_eq!(log.deadline(start), Some(start + FLUSH_DELAY_NS));
    assert!(log.push(LINE));
    let (bytes, offset) = batch(&mut log, start + FLUSH_DELAY_NS);
    assert_eq!((bytes.as_slice(), offset), ([LINE, LINE].concat().as_slice(), 0));
    assert!(log.push(LINE));
    assert_eq!(log.poll(start + FLUSH_DELAY_NS * 3), None, "one write at a time");
    log.written(start + FLUSH_DELAY_NS * 3, bytes, Ok(16));
    assert!(!log.is_drained());
    assert_eq!(log.poll(start + FLUSH_DELAY_NS * 3), None, "the third record waits for its own delay");
    let (bytes, offset) = batch(&mut log, start + FLUSH_DELAY_NS * 4);
    assert_eq!((bytes.as_slice(), offset), (LINE, 16));
    log.written(start, bytes, Ok(8));
    assert!(log.is_drained());
    assert_eq!(log.counts(), Counts { records: 3, bytes: 24, ..Counts::default() });
}

#[test]
fn a_full_batch_is_written_at_once() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    while log.held_bytes() < BATCH_BYTES {
        log.push(LINE);
    }
    assert_eq!(write_all(&mut log, now).len(), BATCH_BYTES);
}

#[test]
fn a_stopping_log_writes_at_once() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    log.push(LINE);
    log.flush();
    assert_eq!(write_all(&mut log, now), LINE);
    assert!(log.is_drained());
}

#[test]
fn a_file_past_its_size_is_followed_by_the_next() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    log.flush();
    log.push(&[b"x".repeat(110).as_slice(), b"\n"].concat());
    write_all(&mut log, now);
    assert_eq!(log.poll(now), None, "no file is begun before there is something for it");
    log.push(LINE);
    assert_eq!(log.poll(now), Some(Action::Open { sequence: 8, name: "audit-2-000008.jsonl".into() }));
    assert_eq!(log.poll(now), None);
    let retry = log.opened(now, Err(io::ErrorKind::AlreadyExists.into()));
    assert_eq!(retry, Some(Action::Open { sequence: 9, name: "audit-2-000009.jsonl".into() }));
    assert_eq!(log.opened(now, Ok(())), None);
    let (bytes, offset) = batch(&mut log, now);
    assert_eq!((bytes.as_slice(), offset), (LINE, 0));
    assert_eq!(log.counts().rotations, 1);
}

#[test]
fn a_short_write_goes_on_where_it_stopped() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    log.flush();
    log.push(LINE);
    let (bytes, _) = batch(&mut log, now);
    log.push(b"{}\n");
    log.written(now, bytes, Ok(3));
    let (bytes, offset) = batch(&mut log, now);
    assert_eq!((bytes.as_slice(), offset), (&LINE[3..], 3));
    log.written(now, bytes, Ok(5));
    assert_eq!(write_all(&mut log, now), b"{}\n");
    assert_eq!(log.health(), &Health::Healthy);
}

#[test]
fn a_batch_torn_at_the_end_of_a_file_is_finished_in_that_file() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    log.flush();
    log.push(&[b"x".repeat(110).as_slice(), b"\n"].concat());
    let (bytes, _) = batch(&mut log, now);
    log.written(now, bytes, Ok(105));
    let (bytes, offset) = batch(&mut log, now);
    assert_eq!((bytes.as_slice(), offset), (b"xxxxx\n".as_slice(), 105));
}

#[test]
fn a_failing_log_refuses_statements_retries_and_recovers() {
    let (mut log, start) = (log(OnFailure::Refuse), 1_000);
    log.flush();
    log.push(LINE);
    let (bytes, _) = batch(&mut log, start);
    log.written(start, bytes, Err(full_disk()));
    assert!(!log.accepts());
    assert_eq!(log.take_change(), Some(Change::Failed { error: "No space left on device".into() }));
    assert_eq!(log.poll(start), None);
    assert_eq!(log.deadline(start), Some(start + RETRY_FIRST_NS));
    let mut now = start;
    let mut pause = RETRY_FIRST_NS;
    for _ in 0..12 {
        now += pause;
        let (bytes, offset) = batch(&mut log, now);
        assert_eq!((bytes.as_slice(), offset), (LINE, 0));
        log.written(now, bytes, Ok(0));
        assert_eq!(log.take_change(), None, "a failure is told once");
        pause = (pause * 2).min(RETRY_LONGEST_NS);
        assert_eq!(log.deadline(now), Some(now + pause));
    }
    now += pause;
    assert_eq!(write_all(&mut log, now), LINE);
    assert!(log.accepts());
    assert_eq!(
        log.take_change(),
        Some(Change::Recovered { dropped: 0, down_ns: now - start, error: "write zero".into() })
    );
    assert_eq!(log.counts().failures, 13);
}

#[test]
fn a_file_that_cannot_be_created_is_a_failure_too() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    log.flush();
    log.push(&[b"x".repeat(110).as_slice(), b"\n"].concat());
    write_all(&mut log, now);
    log.push(LINE);
    assert!(matches!(log.poll(now), Some(Action::Open { sequence: 8, .. })));
    assert_eq!(log.opened(now, Err(full_disk())), None);
    assert!(!log.accepts());
    assert!(matches!(log.poll(now + RETRY_FIRST_NS), Some(Action::Open { sequence: 8, .. })));
    assert_eq!(log.opened(now, Ok(())), None);
    assert!(log.accepts());
}

#[test]
fn under_continue_statements_run_and_what_is_dropped_is_counted() {
    let (mut log, now) = (log(OnFailure::Continue), 1_000);
    log.flush();
    log.push(LINE);
    let (bytes, _) = batch(&mut log, now);
    log.written(now, bytes, Err(full_disk()));
    let big = [b"x".repeat((1 << 20) - 1).as_slice(), b"\n"].concat();
    let kept = (0..20).filter(|_| log.push(&big)).count();
    assert_eq!(kept, 15, "one line of eight bytes is there already");
    assert!(log.accepts());
    assert!(log.held_bytes() <= PENDING_BYTES);
    assert_eq!(log.counts().dropped, 5);
    let later = now + RETRY_FIRST_NS;
    assert_eq!(write_all(&mut log, later), LINE);
    let change = log.take_change();
    assert!(matches!(change, Some(Change::Recovered { dropped: 5, .. })), "{change:?}");
}

#[test]
fn a_slow_disk_refuses_statements_before_records_are_lost() {
    let (mut log, now) = (log(OnFailure::Refuse), 1_000);
    let big = [b"x".repeat((1 << 20) - 1).as_slice(), b"\n"].concat();
    log.flush();
    log.push(&big);
    let (bytes, _) = batch(&mut log, now);
    for _ in 1..12 {
        assert!(log.accepts());
        assert!(log.push(&big));
    }
    assert!(!log.accepts(), "what is being written counts too");
    let len = bytes.len();
    log.written(now, bytes, Ok(len));
    assert!(log.accepts());
    assert_eq!(log.counts().dropped, 0);
}
