//! File writes and syncs, with their errors.

use super::*;
use std::fs::{self, File};

fn written(rig: &mut Rig) -> (u64, Vec<u8>, std::io::Result<usize>) {
    match rig.next() {
        Event::Written { token, buffer, result } => (token, buffer, result),
        event => panic!("{event:?}"),
    }
}

#[test]
fn writes_land_at_their_offsets_and_buffers_come_back() {
    let mut rig = Rig::new(4, 1024);
    let path = std::env::temp_dir().join(format!("ring-test-write-{}", std::process::id()));
    let file = Rc::new(File::create(&path).unwrap());
    let (first, second) = (pattern(1, 10_000), pattern(2, 5_000));
    rig.ring.write_file(&file, first.clone(), 0, 11);
    rig.ring.write_file(&file, second.clone(), 10_000, 12);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let (token, buffer, result) = written(&mut rig);
        assert_eq!(result.unwrap(), buffer.len());
        assert_same(&buffer, if token == 11 { &first } else { &second });
        tokens.push(token);
    }
    tokens.sort_unstable();
    assert_eq!(tokens, [11, 12]);
    rig.ring.sync_file(&file, 13);
    match rig.next() {
        Event::Synced { token: 13, result } => result.unwrap(),
        event => panic!("{event:?}"),
    }
    assert_eq!(Rc::strong_count(&file), 1);
    assert_same(&fs::read(&path).unwrap(), &[first, second].concat());
    fs::remove_file(&path).unwrap();
    rig.finish();
}

#[test]
fn a_full_disk_is_an_error_with_the_buffer() {
    let mut rig = Rig::new(4, 1024);
    let file = Rc::new(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    rig.ring.write_file(&file, b"record".to_vec(), 0, 1);
    let (token, buffer, result) = written(&mut rig);
    assert_eq!((token, &buffer[..]), (1, &b"record"[..]));
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    rig.finish();
}

#[test]
fn a_file_that_is_not_open_for_writing_is_an_error() {
    let mut rig = Rig::new(4, 1024);
    let file = Rc::new(File::open("/dev/null").unwrap());
    rig.ring.write_file(&file, b"record".to_vec(), 0, 2);
    assert_eq!(written(&mut rig).2.unwrap_err().raw_os_error(), Some(libc::EBADF));
    let (reader, _writer) = std::io::pipe().unwrap();
    rig.ring.sync_file(&Rc::new(File::from(OwnedFd::from(reader))), 3);
    match rig.next() {
        Event::Synced { token: 3, result } => assert!(result.is_err()),
        event => panic!("{event:?}"),
    }
    rig.finish();
}

#[test]
fn a_file_may_be_let_go_while_it_is_written() {
    let mut rig = Rig::new(4, 1024);
    let path = std::env::temp_dir().join(format!("ring-test-drop-{}", std::process::id()));
    let file = Rc::new(File::create(&path).unwrap());
    rig.ring.write_file(&file, b"kept open".to_vec(), u64::MAX, 1);
    drop(file);
    assert_eq!(written(&mut rig).2.unwrap(), 9);
    assert_eq!(fs::read(&path).unwrap(), b"kept open");
    fs::remove_file(&path).unwrap();
    rig.finish();
}
