//! Multishot accept, and its ends.

use super::*;
use std::os::fd::{AsFd, AsRawFd};

fn listener(rig: &mut Rig) -> (ListenerId, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (rig.ring.listen(listener.into()), address)
}

fn accepted(rig: &mut Rig, expected: ListenerId) -> TcpStream {
    match rig.next() {
        Event::Accepted { listener, socket } if listener == expected => socket.into(),
        event => panic!("{event:?}"),
    }
}

#[test]
fn one_accept_takes_many_connections() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    for _ in 0..50 {
        let theirs = TcpStream::connect(address).unwrap();
        let ours = accepted(&mut rig, id);
        assert_eq!(ours.peer_addr().unwrap(), theirs.local_addr().unwrap());
    }
    assert_eq!(rig.ring.stats().rearms, 0);
    rig.ring.close_listener(id);
    rig.finish();
}

#[test]
fn accepted_sockets_are_close_on_exec_and_non_blocking() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    let _theirs = TcpStream::connect(address).unwrap();
    let ours = accepted(&mut rig, id);
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", ours.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    assert_eq!(flags & (libc::O_CLOEXEC | libc::O_NONBLOCK), libc::O_CLOEXEC | libc::O_NONBLOCK);
    rig.finish();
}

#[test]
fn a_stopped_accept_leaves_connections_in_the_backlog() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    rig.turn(Duration::ZERO);
    rig.ring.stop_accept(id);
    rig.turn(Duration::from_millis(10));
    let theirs = TcpStream::connect(address).unwrap();
    rig.assert_silence();
    rig.ring.start_accept(id);
    assert_eq!(accepted(&mut rig, id).peer_addr().unwrap(), theirs.local_addr().unwrap());
    rig.finish();
}

#[test]
fn a_stop_and_start_in_one_turn_goes_on_accepting() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    rig.turn(Duration::ZERO);
    rig.ring.stop_accept(id);
    rig.ring.start_accept(id);
    rig.turn(Duration::from_millis(10));
    let _theirs = TcpStream::connect(address).unwrap();
    accepted(&mut rig, id);
    rig.finish();
}

#[test]
fn a_closed_listener_is_stale_and_lets_go_of_its_backlog() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    rig.turn(Duration::ZERO);
    rig.ring.stop_accept(id);
    rig.turn(Duration::from_millis(10));
    let theirs = TcpStream::connect(address).unwrap();
    rig.ring.start_accept(id);
    rig.ring.close_listener(id);
    rig.turn(Duration::from_millis(10));
    assert!(is_gone(theirs));
    assert!(rig.ring.listener_descriptor(id).is_none());
    rig.ring.start_accept(id);
    rig.ring.stop_accept(id);
    rig.assert_silence();
    assert_eq!(rig.ring.listeners.len(), 0);
    rig.finish();
}

/// In a process of its own, because descriptors are limited for a whole process: see
/// [`a_shortage_of_descriptors_is_reported_once_and_accepting_can_be_started_again`].
fn with_few_descriptors() {
    let mut rig = Rig::new(4, 4096);
    let (id, address) = listener(&mut rig);
    rig.ring.start_accept(id);
    let first = TcpStream::connect(address).unwrap();
    drop(accepted(&mut rig, id));
    drop(first);
    let theirs = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let mut hoard = Vec::new();
    while let Ok(descriptor) = theirs.as_fd().try_clone_to_owned() {
        hoard.push(descriptor);
    }
    theirs.connect(&address.into()).unwrap();
    match rig.next() {
        Event::AcceptFailed { listener, error } => {
            assert_eq!(listener, id);
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        }
        event => panic!("{event:?}"),
    }
    rig.assert_silence();
    drop(hoard);
    rig.ring.start_accept(id);
    let second = TcpStream::connect(address).unwrap();
    // The connection that met the shortage is lost or not, as the kernel pleases; a new one is accepted.
    while accepted(&mut rig, id).peer_addr().ok() != second.local_addr().ok() {}
    rig.finish();
}

#[test]
fn a_shortage_of_descriptors_is_reported_once_and_accepting_can_be_started_again() {
    const CHILD: &str = "RING_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        with_few_descriptors();
        return;
    }
    let name = thread::current().name().unwrap().to_owned();
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", "--nocapture", &name])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn more_connections_than_completions_fit_are_all_accepted() {
    let mut rig = Rig::with_entries(1, 1, 1024);
    let (id, address) = listener(&mut rig);
    let theirs: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    rig.ring.start_accept(id);
    let mut peers: Vec<_> = (0..100).map(|_| accepted(&mut rig, id).peer_addr().unwrap()).collect();
    let mut expected: Vec<_> = theirs.iter().map(|stream| stream.local_addr().unwrap()).collect();
    peers.sort();
    expected.sort();
    assert_eq!(peers, expected);
    rig.finish();
}
