//! Connects, over TCP and Unix sockets.

use super::*;
use socket2::{Domain, SockAddr, Socket, Type};
use std::os::unix::net::UnixListener;

fn connected(rig: &mut Rig, expected: SocketId) -> std::io::Result<()> {
    match rig.next() {
        Event::Connected { socket, result } if socket == expected => result,
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_tcp_connect_succeeds_and_the_socket_works() {
    for nonblocking in [false, true] {
        let mut rig = Rig::new(4, 1024);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        ours.set_nonblocking(nonblocking).unwrap();
        let socket = rig.ring.adopt(ours.into());
        rig.ring.connect(socket, &listener.local_addr().unwrap().into());
        connected(&mut rig, socket).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        rig.ring.send(socket, heap(b"hello"), SendMode::Wait);
        assert_eq!(rig.sent(socket).1.unwrap(), 5);
        rig.ring.close(socket);
        assert_eq!(read_all(theirs).join().unwrap(), b"hello");
        rig.finish();
    }
}

#[test]
fn a_refused_connect_says_so() {
    let mut rig = Rig::new(4, 1024);
    // Bound and not listening: nobody else can take the port meanwhile.
    let holder = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    holder.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let socket = rig.ring.adopt(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().into());
    rig.ring.connect(socket, &holder.local_addr().unwrap());
    assert_eq!(connected(&mut rig, socket).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_unix_connect_succeeds_or_says_why_not() {
    let mut rig = Rig::new(4, 1024);
    let directory = std::env::temp_dir().join(format!("ring-test-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let socket = rig.ring.adopt(Socket::new(Domain::UNIX, Type::STREAM, None).unwrap().into());
    rig.ring.connect(socket, &SockAddr::unix(&path).unwrap());
    connected(&mut rig, socket).unwrap();
    let (mut theirs, _) = listener.accept().unwrap();
    rig.ring.start_receive(socket);
    std::io::Write::write_all(&mut theirs, b"over unix").unwrap();
    drop(theirs);
    assert_eq!(rig.receive_all(socket), b"over unix");

    let absent = rig.ring.adopt(Socket::new(Domain::UNIX, Type::STREAM, None).unwrap().into());
    rig.ring.connect(absent, &SockAddr::unix(directory.join("absent")).unwrap());
    assert_eq!(connected(&mut rig, absent).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    rig.ring.close(socket);
    rig.ring.close(absent);
    rig.finish();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_connect_in_flight_can_be_closed() {
    let mut rig = Rig::new(4, 1024);
    // A backlog of one that is full: the kernel drops further SYNs, and the connect hangs.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let filler = TcpStream::connect(address.as_socket().unwrap()).unwrap();
    let socket = rig.ring.adopt(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().into());
    rig.ring.connect(socket, &address);
    rig.ring.connect(socket, &address);
    assert_eq!(connected(&mut rig, socket).unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
    rig.assert_silence();
    rig.ring.close(socket);
    rig.assert_silence();
    assert_eq!(rig.ring.sockets.len(), 0);
    drop(filler);
    rig.finish();
}
