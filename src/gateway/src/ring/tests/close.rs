//! Closing with operations in flight: no memory is reused too early, nothing is reported too late.

use super::*;
use std::io::Write;

#[test]
fn a_socket_with_nothing_in_flight_is_closed_at_once() {
    let mut rig = Rig::new(4, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.close(socket);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    assert_eq!(rig.ring.sockets.len(), 0);
    rig.finish();
}

#[test]
fn closing_ends_a_receive_and_a_send_in_flight_and_says_nothing_more() {
    let mut rig = Rig::new(4, 4096);
    let (ours, theirs) = narrow_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    // Several pieces with chunks among them, much more than fits.
    let (feed, mut feeder) = tcp_pair();
    let feed = rig.ring.adopt(feed);
    rig.ring.start_receive(feed);
    feeder.write_all(&pattern(4, 8192)).unwrap();
    let mut outgoing = Outgoing::new();
    while outgoing.chunks_held() < 2 {
        let Event::Received { chunk, .. } = rig.next() else { panic!() };
        let len = chunk.len();
        let source = outgoing.add_chunk(chunk);
        outgoing.push_range(source, 0..len);
    }
    outgoing.push_heap(pattern(5, 4 << 20));
    let mut left = outgoing;
    loop {
        rig.ring.send(socket, left, SendMode::Try);
        let (rest, result) = rig.sent(socket);
        left = rest;
        if result.is_err() {
            break;
        }
    }
    rig.ring.send(socket, left, SendMode::Wait);
    rig.turn(Duration::ZERO);
    rig.ring.close(socket);
    rig.ring.close(feed);
    assert!(!rig.ring.is_open(socket) && !rig.ring.is_sending(socket));
    rig.assert_silence();
    assert_eq!(rig.ring.sockets.len(), 0);
    assert_eq!(rig.ring.buffers_free(), rig.ring.buffers_total());
    let tail = read_all(theirs).join();
    assert!(tail.is_ok());
    rig.finish();
}

#[test]
fn the_memory_of_a_cancelled_send_is_not_sent_to_the_next_user_of_its_slot() {
    let mut rig = Rig::new(4, 1024);
    for round in 0..50_u8 {
        let (ours, theirs) = narrow_pair();
        let socket = rig.ring.adopt(ours);
        assert_eq!(socket.index(), 0, "slots are reused");
        rig.ring.start_receive(socket);
        let mut outgoing = heap(&vec![round; 1 << 20]);
        outgoing.push_heap(vec![round; 100]);
        rig.ring.send(socket, outgoing, SendMode::Wait);
        let mut count = 0;
        if round % 2 == 0 {
            let (left, result) = rig.sent(socket);
            count = result.unwrap();
            rig.ring.send(socket, left, SendMode::Wait);
            rig.turn(Duration::ZERO);
            rig.pending.clear();
        }
        rig.ring.close(socket);
        while rig.ring.sockets.len() > 0 {
            rig.turn(Duration::from_millis(10));
        }
        assert!(rig.pending.is_empty());
        let bytes = read_all(theirs).join().unwrap();
        assert!(bytes.len() >= count && bytes.iter().all(|byte| *byte == round));
    }
    rig.finish();
}

#[test]
fn a_try_send_queued_before_the_close_is_made() {
    let mut rig = Rig::new(4, 1024);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.turn(Duration::ZERO);
    rig.ring.send(socket, heap(b"last words"), SendMode::Try);
    rig.ring.close(socket);
    rig.turn(Duration::from_millis(10));
    assert_eq!(read_all(theirs).join().unwrap(), b"last words");
    rig.assert_silence();
    rig.finish();
}

#[test]
fn bytes_that_come_while_closing_are_dropped_with_their_buffers() {
    let mut rig = Rig::new(8, 256);
    for _ in 0..20 {
        let (ours, mut theirs) = tcp_pair();
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        rig.turn(Duration::ZERO);
        theirs.write_all(&[7; 1024]).unwrap();
        rig.ring.close(socket);
        rig.assert_silence();
    }
    rig.finish();
}

#[test]
fn a_starved_socket_can_be_closed() {
    let mut rig = Rig::new(1, 64);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    theirs.write_all(&[1; 200]).unwrap();
    let Event::Received { chunk, .. } = rig.next() else { panic!() };
    rig.assert_silence();
    rig.ring.close(socket);
    let (next, _peer) = tcp_pair();
    let next = rig.ring.adopt(next);
    assert_eq!(next.index(), socket.index());
    assert_ne!(next, socket);
    drop(chunk);
    rig.assert_silence();
    assert!(!rig.ring.is_receiving(next));
    rig.ring.close(next);
    rig.finish();
}

#[test]
fn a_stale_name_does_nothing_to_its_successor() {
    let mut rig = Rig::new(4, 1024);
    let (ours, _theirs) = tcp_pair();
    let stale = rig.ring.adopt(ours);
    rig.ring.close(stale);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    assert_eq!(socket.index(), stale.index());
    rig.ring.start_receive(socket);
    rig.ring.send(stale, heap(b"stray"), SendMode::Try);
    rig.ring.shutdown_write(stale);
    rig.ring.stop_receive(stale);
    rig.ring.close(stale);
    rig.ring.start_receive(stale);
    rig.ring.connect(stale, &socket2::SockAddr::unix("/nowhere").unwrap());
    assert!(rig.ring.descriptor(stale).is_none() && !rig.ring.is_receiving(stale));
    rig.assert_silence();
    theirs.write_all(b"hello").unwrap();
    let Event::Received { socket: of, chunk } = rig.next() else { panic!() };
    assert_eq!((of, &*chunk), (socket, &b"hello"[..]));
    drop(chunk);
    rig.ring.close(socket);
    rig.turn(Duration::ZERO);
    assert_eq!(read_all(theirs).join().unwrap(), b"");
    rig.finish();
}

#[test]
fn a_ring_can_be_dropped_with_everything_in_flight() {
    let mut rig = Rig::new(4, 1024);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listener = rig.ring.listen(listener.into());
    rig.ring.start_accept(listener);
    let (ours, theirs) = narrow_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.ring.send(socket, heap(&vec![1; 8 << 20]), SendMode::Wait);
    let (left, _) = rig.sent(socket);
    rig.ring.send(socket, left, SendMode::Wait);
    rig.turn(Duration::ZERO);
    // And something queued and not submitted.
    let (ours, _idle) = tcp_pair();
    let queued = rig.ring.adopt(ours);
    rig.ring.start_receive(queued);
    let pending = TcpStream::connect(address).unwrap();
    let notifier = rig.ring.notifier();
    let begun = Instant::now();
    drop(rig);
    assert!(begun.elapsed() < Duration::from_secs(1), "the kernel did not give up its operations");
    assert!(is_gone(pending));
    assert!(read_all(theirs).join().unwrap().len() < 8 << 20);
    notifier.notify();
}
