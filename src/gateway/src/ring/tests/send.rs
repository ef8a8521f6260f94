//! Sends: order, short counts, full sockets, slow readers, half-closed connections.

use super::*;
use std::io::{ErrorKind, Write};

/// Sends until nothing is left, waiting whenever the socket is full.
fn send_all(rig: &mut Rig, socket: SocketId, mut outgoing: Outgoing) -> usize {
    let mut sends = 0;
    let mut mode = SendMode::Try;
    while !outgoing.is_empty() {
        let before = outgoing.len();
        rig.ring.send(socket, outgoing, mode);
        let (left, result) = rig.sent(socket);
        match result {
            Ok(count) => assert_eq!(left.len(), before - count),
            Err(error) => {
                assert_eq!((error.kind(), mode), (ErrorKind::WouldBlock, SendMode::Try));
                assert_eq!(left.len(), before);
            }
        }
        mode = if mode == SendMode::Try { SendMode::Wait } else { SendMode::Try };
        outgoing = left;
        outgoing.invariants();
        sends += 1;
    }
    sends
}

#[test]
fn many_pieces_arrive_in_order_through_a_narrow_socket() {
    let mut rig = Rig::new(8, 4096);
    let (ours, theirs) = narrow_pair();
    let socket = rig.ring.adopt(ours);
    let reader = read_all(theirs);
    let mut outgoing = Outgoing::new();
    let mut expected = Vec::new();
    for seed in 0..300 {
        // Ranges of all sizes, some of one source out of order, more than one send can name.
        let bytes = pattern(seed, 100 + usize::try_from(seed * 37 % 5000).unwrap());
        let half = bytes.len() / 2;
        if seed % 3 == 0 {
            expected.extend_from_slice(&bytes[half..]);
            expected.extend_from_slice(&bytes[..half]);
            let len = bytes.len();
            let source = outgoing.add_heap(bytes);
            outgoing.push_range(source, half..len);
            outgoing.push_range(source, 0..half);
        } else if seed % 3 == 1 {
            expected.extend_from_slice(&bytes);
            outgoing.push_shared(bytes.into());
        } else {
            expected.extend_from_slice(&bytes);
            outgoing.push_heap(bytes);
        }
    }
    let sends = send_all(&mut rig, socket, outgoing);
    assert!(sends > 10 && rig.ring.stats().short_sends > 5, "{sends}: the socket was not narrow");
    rig.ring.close(socket);
    assert_same(&reader.join().unwrap(), &expected);
    rig.finish();
}

#[test]
fn a_full_socket_gives_the_list_back_untouched() {
    for (ours, theirs) in narrow_pairs() {
        let mut rig = Rig::new(8, 4096);
        let socket = rig.ring.adopt(ours);
        let mut taken = rig.fill(socket);
        // The same with several pieces, which is another operation of the kernel.
        let bytes = [[1; 4096], [2; 4096]];
        loop {
            let mut outgoing = Outgoing::new();
            bytes.iter().for_each(|piece| outgoing.push_heap(piece.to_vec()));
            rig.ring.send(socket, outgoing, SendMode::Try);
            let (outgoing, result) = rig.sent(socket);
            match result {
                // TCP found room after all.
                Ok(count) => taken.extend_from_slice(&bytes.as_flattened()[..count]),
                Err(error) => {
                    assert_eq!((error.kind(), outgoing.len()), (ErrorKind::WouldBlock, 8192));
                    assert_eq!(outgoing.pieces().count(), 2);
                    break;
                }
            }
        }
        rig.assert_silence();
        rig.ring.close(socket);
        assert_same(&read_all(theirs).join().unwrap(), &taken);
        rig.finish();
    }
}

#[test]
fn a_waiting_send_completes_when_the_reader_drains() {
    for pieces in [1, 5] {
        for (kind, (ours, theirs)) in narrow_pairs().into_iter().enumerate() {
            let mut rig = Rig::new(8, 4096);
            let socket = rig.ring.adopt(ours);
            let mut expected = rig.fill(socket);
            let mut outgoing = Outgoing::new();
            for piece in 0..pieces {
                outgoing.push_heap(vec![piece; 4096]);
                expected.extend_from_slice(&[piece; 4096]);
            }
            rig.ring.send(socket, outgoing, SendMode::Wait);
            // TCP may find room after all.
            if kind == 1 {
                rig.assert_silence();
                assert!(rig.ring.is_sending(socket));
            }
            let reader = read_all(theirs);
            let (left, result) = rig.sent(socket);
            assert!(result.unwrap() > 0);
            send_all(&mut rig, socket, left);
            rig.ring.close(socket);
            assert_same(&reader.join().unwrap(), &expected);
            rig.finish();
        }
    }
}

/// Otherwise nobody would send the rest.
#[test]
fn a_try_that_does_not_send_everything_ends_the_wait() {
    for pieces in [1, 2] {
        for (ours, _theirs) in narrow_pairs() {
            let mut rig = Rig::new(8, 4096);
            let socket = rig.ring.adopt(ours);
            rig.turn(Duration::ZERO);
            let mut outgoing = Outgoing::new();
            for _ in 0..pieces {
                outgoing.push_heap(vec![1; 8 << 20]);
            }
            for expected in [None, Some(ErrorKind::WouldBlock)] {
                rig.ring.send(socket, outgoing, SendMode::Try);
                let mut events = Vec::new();
                let begun = Instant::now();
                rig.ring.turn(Wait::Until(begun + PATIENCE), &mut events).unwrap();
                assert!(begun.elapsed() < PATIENCE / 2, "slept on a short count");
                let Some(Event::Sent { outgoing: left, result, .. }) = events.pop() else { panic!("{events:?}") };
                match result {
                    Ok(count) => assert!(count > 0 && left.len() < pieces * (8 << 20)),
                    Err(error) => assert_eq!(Some(error.kind()), expected),
                }
                outgoing = *left;
                rig.fill(socket);
            }
            rig.ring.close(socket);
            rig.finish();
        }
    }
}

#[test]
fn a_try_that_sends_everything_neither_ends_the_wait_nor_is_reported() {
    for pieces in [1_usize, 2, 64] {
        let mut rig = Rig::new(8, 4096);
        let (ours, theirs) = tcp_pair();
        let socket = rig.ring.adopt(ours);
        rig.turn(Duration::ZERO);
        let mut outgoing = Outgoing::new();
        for _ in 0..pieces {
            outgoing.push_heap(b"abc".to_vec());
        }
        rig.ring.send(socket, outgoing, SendMode::Try);
        let begun = Instant::now();
        rig.turn(Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(rig.pending.is_empty(), "{:?}", rig.pending);
        assert_eq!(rig.ring.take_settled(socket), Some(3 * pieces));
        assert_eq!(rig.ring.take_settled(socket), None, "it is told once");
        rig.ring.close(socket);
        assert_eq!(read_all(theirs).join().unwrap().len(), 3 * pieces);
        rig.finish();
    }
}

#[test]
fn a_try_of_more_ranges_than_one_send_can_name_gives_the_rest_back() {
    let mut rig = Rig::new(8, 4096);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    let mut outgoing = Outgoing::new();
    for _ in 0..65 {
        outgoing.push_heap(b"abc".to_vec());
    }
    rig.ring.send(socket, outgoing, SendMode::Try);
    let Event::Sent { outgoing: left, result, .. } = rig.next() else { panic!() };
    assert_eq!((result.unwrap(), left.len()), (3 * 64, 3));
    assert_eq!(rig.ring.take_settled(socket), None);
    rig.ring.close(socket);
    assert_eq!(read_all(theirs).join().unwrap().len(), 3 * 64);
    rig.finish();
}

#[test]
fn the_memory_of_a_list_that_was_sent_serves_the_next() {
    let mut rig = Rig::new(4, 1024);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    for round in 0..5 {
        let mut outgoing = rig.ring.spare_list();
        assert!(outgoing.is_empty() && rig.ring.spare_lists.is_empty(), "round {round}");
        outgoing.push_heap(b"abc".to_vec());
        rig.ring.send(socket, outgoing, SendMode::Try);
        rig.turn(Duration::ZERO);
        assert_eq!(rig.ring.spare_lists.len(), 1);
    }
    rig.ring.close(socket);
    assert_eq!(read_all(theirs).join().unwrap(), b"abc".repeat(5));
    rig.finish();
}

#[test]
fn a_relay_of_chunks_copies_nothing_and_gives_every_buffer_back() {
    let mut rig = Rig::new(16, 4096);
    let (from, mut from_peer) = tcp_pair();
    let (to, to_peer) = narrow_pair();
    let (from, to) = (rig.ring.adopt(from), rig.ring.adopt(to));
    let bytes = pattern(3, 2 << 20);
    let expected = bytes.clone();
    let writer = thread::spawn(move || {
        from_peer.write_all(&bytes).unwrap();
        from_peer.shutdown(std::net::Shutdown::Write).unwrap();
        from_peer
    });
    let reader = read_all(to_peer);
    rig.ring.start_receive(from);
    let (mut waiting, mut ended) = (Outgoing::new(), false);
    while !ended || !waiting.is_empty() || rig.ring.is_sending(to) {
        if rig.pending.is_empty() {
            rig.turn(Duration::from_millis(1));
        }
        if rig.ring.take_settled(to).is_some() && !ended && waiting.chunks_held() <= 6 {
            rig.ring.start_receive(from);
        }
        let Some(event) = rig.pending.pop_front() else { continue };
        match event {
            Event::Received { chunk, .. } => {
                let len = chunk.len();
                let source = waiting.add_chunk(chunk);
                // Two ranges, as around a changed cell.
                waiting.push_range(source, 0..len / 2);
                waiting.push_range(source, len / 2..len);
                if waiting.chunks_held() > 6 {
                    rig.ring.stop_receive(from);
                }
                if waiting.chunks_held() > 10 {
                    waiting.to_heap();
                }
            }
            Event::ReceiveEnded { .. } => ended = true,
            Event::Sent { outgoing: mut left, result, .. } => {
                assert!(result.is_ok() || result.unwrap_err().kind() == ErrorKind::WouldBlock);
                left.append(std::mem::take(&mut waiting));
                waiting = *left;
                if !ended && waiting.chunks_held() <= 6 {
                    rig.ring.start_receive(from);
                }
            }
            event => panic!("{event:?}"),
        }
        waiting.invariants();
        if !waiting.is_empty() && !rig.ring.is_sending(to) {
            let mode = if ended { SendMode::Wait } else { SendMode::Try };
            rig.ring.send(to, std::mem::take(&mut waiting), mode);
        }
    }
    rig.ring.close(from);
    rig.ring.close(to);
    assert_same(&reader.join().unwrap(), &expected);
    writer.join().unwrap();
    rig.finish();
}

#[test]
fn a_peer_that_has_finished_can_still_be_answered() {
    let mut rig = Rig::new(4, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    theirs.write_all(b"question").unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rig.receive_all(socket), b"question");
    rig.ring.send(socket, heap(b"answer"), SendMode::Try);
    assert_eq!(rig.sent(socket).1.unwrap(), 6);
    rig.ring.close(socket);
    let mut answer = Vec::new();
    theirs.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"answer");
    rig.finish();
}

#[test]
fn having_finished_we_can_still_receive() {
    let mut rig = Rig::new(4, 1024);
    let (ours, mut theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.ring.send(socket, heap(b"question"), SendMode::Wait);
    rig.sent(socket).1.unwrap();
    rig.ring.shutdown_write(socket);
    let mut question = Vec::new();
    theirs.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"question");
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    assert_eq!(rig.receive_all(socket), b"answer");
    rig.ring.send(socket, heap(b"too late"), SendMode::Try);
    let (outgoing, result) = rig.sent(socket);
    assert_eq!((outgoing.len(), result.unwrap_err().kind()), (8, ErrorKind::BrokenPipe));
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_second_send_is_refused_with_all_that_it_had() {
    let mut rig = Rig::new(4, 1024);
    let (ours, theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.send(socket, heap(b"first"), SendMode::Try);
    rig.ring.send(socket, heap(b"second"), SendMode::Try);
    let (outgoing, result) = rig.sent(socket);
    assert_eq!((outgoing.len(), result.unwrap_err().kind()), (6, ErrorKind::ResourceBusy));
    assert_eq!(rig.sent(socket).1.unwrap(), 5);
    rig.ring.send(socket, Outgoing::new(), SendMode::Wait);
    assert_eq!(rig.sent(socket).1.unwrap(), 0);
    rig.ring.close(socket);
    assert_eq!(read_all(theirs).join().unwrap(), b"first");
    rig.finish();
}

#[test]
fn more_sends_than_the_queue_has_room_for_are_all_made() {
    let mut rig = Rig::with_entries(4, 64, 1024);
    let mut peers = Vec::new();
    for number in 0..40_u8 {
        let (ours, theirs) = tcp_pair();
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        rig.ring.send(socket, heap(&[number; 7]), SendMode::Try);
        peers.push((socket, theirs));
    }
    for (socket, _) in &peers {
        assert_eq!(rig.sent(*socket).1.unwrap(), 7);
    }
    for (number, (socket, mut theirs)) in (0_u8..).zip(peers) {
        let mut bytes = [0; 7];
        theirs.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [number; 7]);
        rig.ring.close(socket);
    }
    rig.finish();
}

/// A failure that the kernel keeps for want of room must not pass for the silence of success.
#[test]
fn failures_that_overflow_the_completion_queue_are_all_reported() {
    let mut rig = Rig::with_entries(1, 1, 1024);
    let mut sockets = Vec::new();
    for number in 0..200 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let broken = number % 5 != 0;
        let peer = if broken { None } else { Some(theirs) };
        sockets.push((rig.ring.adopt(ours.into()), peer));
    }
    for (socket, _) in &sockets {
        rig.ring.send(*socket, heap(b"hello"), SendMode::Try);
    }
    let mut events = Vec::new();
    for _ in 0..1000 {
        rig.ring.turn(Wait::Poll, &mut events).unwrap();
    }
    let mut failed = Vec::new();
    for event in events {
        let Event::Sent { socket, result, .. } = event else { panic!("{event:?}") };
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        failed.push(socket);
    }
    for (socket, peer) in &sockets {
        assert_eq!(rig.ring.take_settled(*socket), peer.is_some().then_some(5));
        assert_eq!(failed.iter().filter(|of| *of == socket).count(), usize::from(peer.is_none()));
        rig.ring.close(*socket);
    }
    rig.finish();
}
