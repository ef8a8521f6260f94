//! Multishot receive: streams longer than the pool, shortage of buffers, stopping and starting.

use super::*;
use std::collections::HashMap;
use std::io::Write;

fn write_all(mut stream: TcpStream, bytes: Vec<u8>) -> JoinHandle<TcpStream> {
    thread::spawn(move || {
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
    })
}

#[test]
fn a_stream_far_longer_than_the_pool_arrives_whole_and_in_order() {
    let mut rig = Rig::new(4, 4096);
    let bytes = pattern(1, 3 << 20);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    let writer = write_all(theirs, bytes.clone());
    assert_same(&rig.receive_all(socket), &bytes);
    assert!(!rig.ring.is_receiving(socket));
    writer.join().unwrap();
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn sockets_that_starve_recover_without_a_byte_lost_or_out_of_place() {
    let mut rig = Rig::new(4, 1024);
    let mut writers = Vec::new();
    let mut expected = HashMap::new();
    for seed in 0..12 {
        let (ours, theirs) = tcp_pair();
        let bytes = pattern(seed, 300_000 + usize::try_from(seed).unwrap() * 1000);
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        writers.push(write_all(theirs, bytes.clone()));
        expected.insert(socket, (bytes, Vec::new()));
    }
    let mut open = expected.len();
    // Chunks are held for a few events before they are dropped, so that the pool is often empty.
    let mut held = std::collections::VecDeque::new();
    while open > 0 {
        if rig.pending.is_empty() {
            rig.turn(Duration::from_millis(1));
            held.pop_front();
        }
        match rig.pending.pop_front() {
            Some(Event::Received { socket, chunk }) => {
                expected.get_mut(&socket).unwrap().1.extend_from_slice(&chunk);
                held.push_back(chunk);
            }
            Some(Event::ReceiveEnded { end: ReceiveEnd::Eof, .. }) => open -= 1,
            None => {}
            Some(event) => panic!("{event:?}"),
        }
    }
    drop(held);
    let stats = rig.ring.stats();
    assert!(stats.enobufs > 0 && stats.rearms > 0, "the test did not starve anybody: {stats:?}");
    for (socket, (bytes, received)) in expected {
        assert_same(&received, &bytes);
        rig.ring.close(socket);
    }
    for writer in writers {
        writer.join().unwrap();
    }
    rig.finish();
}

#[test]
fn a_starved_socket_is_fed_in_the_turn_after_a_buffer_came_back() {
    let mut rig = Rig::new(1, 1024);
    let (hog, mut hog_peer) = tcp_pair();
    let (other, mut other_peer) = tcp_pair();
    let hog = rig.ring.adopt(hog);
    let other = rig.ring.adopt(other);
    rig.ring.start_receive(hog);
    hog_peer.write_all(b"hog").unwrap();
    let Event::Received { chunk, .. } = rig.next() else { panic!() };
    assert_eq!(rig.ring.buffers_free(), 0);
    rig.ring.start_receive(other);
    other_peer.write_all(b"other").unwrap();
    rig.assert_silence();
    assert_eq!(rig.ring.stats().enobufs, 1);
    drop(chunk);
    rig.turn(Duration::ZERO);
    match rig.pending.pop_front() {
        Some(Event::Received { socket, chunk }) => {
            assert_eq!(socket, other);
            assert_eq!(&*chunk, b"other");
        }
        event => panic!("{event:?}"),
    }
    rig.ring.close(hog);
    rig.ring.close(other);
    rig.finish();
}

#[test]
fn starved_sockets_take_turns_with_one_that_never_stops() {
    let mut rig = Rig::new(2, 512);
    let (busy, mut busy_peer) = tcp_pair();
    let busy = rig.ring.adopt(busy);
    rig.ring.start_receive(busy);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let flood = thread::spawn(move || {
        let block = [0; 65536];
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = busy_peer.write_all(&block);
        }
    });
    let (quiet, mut quiet_peer) = tcp_pair();
    let quiet = rig.ring.adopt(quiet);
    rig.ring.start_receive(quiet);
    for round in 0..200_u8 {
        quiet_peer.write_all(&[round]).unwrap();
        let mut turns = 0;
        'round: loop {
            for event in std::mem::take(&mut rig.pending) {
                if matches!(&event, Event::Received { socket, .. } if *socket == quiet) {
                    break 'round;
                }
            }
            rig.turn(PATIENCE);
            turns += 1;
            assert!(turns < 50, "one byte waited for {turns} turns");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    rig.ring.close(busy);
    rig.ring.close(quiet);
    rig.finish();
    flood.join().unwrap();
}

#[test]
fn a_silent_send_that_holds_the_last_buffers_does_not_stop_the_receive_for_ever() {
    let mut rig = Rig::new(2, 1024);
    let (from, mut from_peer) = tcp_pair();
    let (to, to_peer) = tcp_pair();
    let (from, to) = (rig.ring.adopt(from), rig.ring.adopt(to));
    rig.ring.start_receive(from);
    let bytes = pattern(9, 64 * 1024);
    from_peer.write_all(&bytes).unwrap();
    drop(from_peer);
    let mut waiting = Outgoing::new();
    let mut ended = false;
    let deadline = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    while !ended || !waiting.is_empty() || rig.ring.is_sending(to) {
        if !waiting.is_empty() && !rig.ring.is_sending(to) {
            rig.ring.send(to, std::mem::take(&mut waiting), SendMode::Try);
        }
        let wait = if ended { Wait::Poll } else { Wait::Until(deadline) };
        rig.ring.turn(wait, &mut events).unwrap();
        assert!(Instant::now() < deadline, "asleep with all buffers in a send that is over");
        for event in events.drain(..) {
            match event {
                Event::Received { chunk, .. } => {
                    let len = chunk.len();
                    let source = waiting.add_chunk(chunk);
                    waiting.push_range(source, 0..len);
                }
                Event::ReceiveEnded { .. } => ended = true,
                Event::Sent { mut outgoing, .. } => {
                    outgoing.append(std::mem::take(&mut waiting));
                    waiting = *outgoing;
                }
                event => panic!("{event:?}"),
            }
        }
    }
    rig.ring.close(from);
    rig.ring.close(to);
    assert_same(&read_all(to_peer).join().unwrap(), &bytes);
    rig.finish();
}

#[test]
fn few_buffers_of_a_large_pool_are_used_again_and_again() {
    let mut rig = Rig::new(1024, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    let mut addresses = std::collections::HashSet::new();
    for _ in 0..500 {
        theirs.write_all(b"ping").unwrap();
        let Event::Received { chunk, .. } = rig.next() else { panic!() };
        addresses.insert(chunk.as_ptr());
    }
    assert!(addresses.len() < 64, "{} buffers were touched", addresses.len());
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn stopping_and_starting_again_loses_nothing() {
    let mut rig = Rig::new(8, 2048);
    let bytes = pattern(2, 1 << 20);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    let writer = write_all(theirs, bytes.clone());
    let mut received = Vec::new();
    let mut ended = false;
    let mut step = 0_u32;
    while !ended {
        // Every order of the two calls and of turns between them.
        match step % 7 {
            0 => rig.ring.stop_receive(socket),
            2 => rig.ring.start_receive(socket),
            4 => {
                rig.ring.stop_receive(socket);
                rig.ring.start_receive(socket);
            }
            5 => {
                rig.ring.stop_receive(socket);
                rig.ring.start_receive(socket);
                rig.ring.stop_receive(socket);
            }
            _ => rig.ring.start_receive(socket),
        }
        step += 1;
        rig.turn(Duration::from_micros(200));
        for event in std::mem::take(&mut rig.pending) {
            match event {
                Event::Received { chunk, .. } => received.extend_from_slice(&chunk),
                Event::ReceiveEnded { end: ReceiveEnd::Eof, .. } => ended = true,
                event => panic!("{event:?}"),
            }
        }
    }
    assert_same(&received, &bytes);
    assert!(step > 20, "the stream was over before it could be stopped");
    writer.join().unwrap();
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_stopped_socket_receives_nothing_until_started() {
    let mut rig = Rig::new(4, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.turn(Duration::ZERO);
    rig.ring.stop_receive(socket);
    assert!(!rig.ring.is_receiving(socket));
    rig.turn(Duration::from_millis(5));
    theirs.write_all(b"later").unwrap();
    rig.assert_silence();
    rig.ring.start_receive(socket);
    match rig.next() {
        Event::Received { chunk, .. } => assert_eq!(&*chunk, b"later"),
        event => panic!("{event:?}"),
    }
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_starved_socket_that_was_stopped_is_not_armed() {
    let mut rig = Rig::new(1, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    theirs.write_all(&[1; 1024]).unwrap();
    let Event::Received { chunk, .. } = rig.next() else { panic!() };
    theirs.write_all(&[2; 10]).unwrap();
    rig.assert_silence();
    rig.ring.stop_receive(socket);
    drop(chunk);
    rig.assert_silence();
    rig.ring.start_receive(socket);
    match rig.next() {
        Event::Received { chunk, .. } => assert_eq!(&*chunk, &[2; 10]),
        event => panic!("{event:?}"),
    }
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_reset_is_an_error_and_not_an_end() {
    let mut rig = Rig::new(4, 1024);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.turn(Duration::ZERO);
    socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    match rig.next() {
        Event::ReceiveEnded { end: ReceiveEnd::Error(error), .. } => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        event => panic!("{event:?}"),
    }
    assert!(!rig.ring.is_receiving(socket));
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn chunks_can_be_changed_in_place_and_outlive_the_ring() {
    let mut rig = Rig::new(2, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    theirs.write_all(b"secret").unwrap();
    let Event::Received { mut chunk, .. } = rig.next() else { panic!() };
    chunk.fill(b'*');
    // Nothing of it is shown where it might be logged.
    assert!(!format!("{chunk:?}").contains('*'));
    drop(rig);
    assert_eq!(&*chunk, b"******");
}

#[test]
fn one_receive_delivers_a_bounded_burst_whatever_has_come() {
    for limits_receives in [true, false] {
        let mut rig = Rig::new(64, 1024);
        rig.ring.limits_receives = limits_receives;
        let (ours, mut theirs) = tcp_pair();
        let bytes = pattern(3, 50 * 1024);
        theirs.write_all(&bytes).unwrap();
        drop(theirs);
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        rig.turn(Duration::from_millis(100));
        let burst: usize = rig
            .pending
            .iter()
            .map(|event| if let Event::Received { chunk, .. } = event { chunk.len() } else { 0 })
            .sum();
        assert!(
            (1024..=1024 * usize::try_from(super::super::receive::BURST).unwrap()).contains(&burst),
            "{burst} bytes in one turn"
        );
        assert_same(&rig.receive_all(socket), &bytes);
        rig.ring.close(socket);
        rig.finish();
    }
}
