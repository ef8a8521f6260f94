//! What ends a wait, and how many system calls it takes.

use super::*;
use std::io::Write;
use std::sync::mpsc;

#[test]
fn a_deadline_ends_the_wait_without_an_event() {
    let mut rig = Rig::new(4, 1024);
    let mut events = Vec::new();
    let begun = Instant::now();
    rig.ring.turn(Wait::Until(begun + Duration::from_millis(30)), &mut events).unwrap();
    let took = begun.elapsed();
    assert!(events.is_empty());
    assert!(took >= Duration::from_millis(30) && took < Duration::from_secs(2), "{took:?}");
    rig.finish();
}

#[test]
fn a_deadline_in_the_past_and_a_poll_do_not_block_and_enter_only_for_a_reason() {
    let mut rig = Rig::new(4, 1024);
    let mut events = Vec::new();
    rig.ring.turn(Wait::Poll, &mut events).unwrap();
    let before = rig.ring.stats().enters;
    let past = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
    rig.ring.turn(Wait::Until(past), &mut events).unwrap();
    rig.ring.turn(Wait::Poll, &mut events).unwrap();
    assert!(events.is_empty());
    assert_eq!(rig.ring.stats().enters, before, "there was nothing to enter for");
    // Work that the kernel deferred is a reason.
    rig.ring.notifier().notify();
    rig.ring.turn(Wait::Poll, &mut events).unwrap();
    assert!(matches!(events[..], [Event::Notified]), "{events:?}");
    rig.finish();
}

#[test]
fn a_notify_from_another_thread_ends_the_wait() {
    let mut rig = Rig::new(4, 1024);
    let notifier = rig.ring.notifier();
    let caller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        notifier.notify();
    });
    let mut events = Vec::new();
    while events.is_empty() {
        rig.ring.turn(Wait::Forever, &mut events).unwrap();
    }
    assert!(matches!(events[..], [Event::Notified]), "{events:?}");
    caller.join().unwrap();
    rig.finish();
}

#[test]
fn no_message_is_lost_among_many_threads_that_notify() {
    const THREADS: u64 = 4;
    const EACH: u64 = 20_000;
    let mut rig = Rig::new(4, 1024);
    let (sender, mailbox) = mpsc::channel();
    let callers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (sender, notifier) = (sender.clone(), rig.ring.notifier());
            thread::spawn(move || {
                for message in 0..EACH {
                    sender.send(message).unwrap();
                    notifier.notify();
                }
            })
        })
        .collect();
    let mut received = 0;
    let mut events = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while received < THREADS * EACH {
        events.clear();
        rig.ring.turn(Wait::Until(deadline), &mut events).unwrap();
        assert!(Instant::now() < deadline, "{received} messages, and no bell for the rest");
        // The mailbox is looked at only when the bell rang.
        if events.iter().any(|event| matches!(event, Event::Notified)) {
            received += u64::try_from(mailbox.try_iter().count()).unwrap();
        }
    }
    for caller in callers {
        caller.join().unwrap();
    }
    rig.finish();
}

#[test]
fn notifies_before_a_turn_are_one_event() {
    let mut rig = Rig::new(4, 1024);
    let notifier = rig.ring.notifier();
    rig.turn(Duration::ZERO);
    for _ in 0..1000 {
        notifier.notify();
    }
    assert!(matches!(rig.next(), Event::Notified));
    rig.assert_silence();
    notifier.notify();
    assert!(matches!(rig.next(), Event::Notified));
    rig.finish();
}

/// The promise that the whole design stands on: send what is queued and sleep until the next thing happens,
/// in one system call.
#[test]
fn a_ping_pong_takes_one_system_call_a_turn() {
    const ROUNDS: u64 = 1000;
    for pieces in [1, 2] {
        let mut rig = Rig::new(16, 1024);
        let (ours, mut theirs) = tcp_pair();
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        let pinger = thread::spawn(move || {
            let mut byte = [0; 8];
            for round in 0..ROUNDS {
                theirs.write_all(&round.to_le_bytes()).unwrap();
                theirs.read_exact(&mut byte).unwrap();
                assert_eq!(byte, round.to_le_bytes());
            }
            theirs
        });
        let mut events = Vec::new();
        let mut turns = 0_u64;
        let mut received = 0;
        while received < ROUNDS {
            rig.ring.turn(Wait::Forever, &mut events).unwrap();
            turns += 1;
            for event in events.drain(..) {
                match event {
                    Event::Received { chunk, .. } => {
                        received += 1;
                        let len = chunk.len();
                        let mut outgoing = Outgoing::new();
                        let source = outgoing.add_chunk(chunk);
                        outgoing.push_range(source, 0..1);
                        if pieces == 1 {
                            outgoing.push_range(source, 1..len);
                        } else {
                            outgoing.push_heap(vec![0; 0]);
                            let rest = outgoing.add_heap(vec![0; 8]);
                            outgoing.push_range(source, 1..2);
                            outgoing.push_range(source, 2..len);
                            outgoing.push_range(rest, 0..0);
                        }
                        rig.ring.send(socket, outgoing, SendMode::Try);
                    }
                    event => panic!("{event:?}"),
                }
            }
        }
        rig.turn(Duration::ZERO);
        pinger.join().unwrap();
        let stats = rig.ring.stats();
        assert!(stats.enters <= turns + 1, "{stats:?} in {turns} turns");
        // And a turn is a round: the send's completion did not cost a turn of its own.
        assert!(turns <= ROUNDS + 5, "{turns} turns");
        rig.pending.clear();
        rig.ring.close(socket);
        rig.finish();
    }
}

#[test]
fn cancels_do_not_cost_turns_of_their_own() {
    let mut rig = Rig::new(16, 1024);
    let (ours, _theirs) = tcp_pair();
    let socket = rig.ring.adopt(ours);
    rig.ring.start_receive(socket);
    rig.turn(Duration::ZERO);
    rig.ring.stop_receive(socket);
    let before = rig.ring.stats().enters;
    // One turn for the cancelled receive's own end, one that lasts until the deadline.
    rig.turn(Duration::from_millis(20));
    rig.turn(Duration::from_millis(20));
    assert!(rig.ring.stats().enters - before <= 2);
    rig.ring.close(socket);
    rig.finish();
}

#[test]
fn a_sleep_that_gathers_ends_with_several_events_or_with_one_when_its_time_is_over() {
    let mut rig = Rig::new(16, 1024);
    let mut peers = Vec::new();
    for _ in 0..3 {
        let (ours, theirs) = tcp_pair();
        let socket = rig.ring.adopt(ours);
        rig.ring.start_receive(socket);
        peers.push((socket, theirs));
    }
    // Far longer than a turn may take: only the number of events can end it.
    rig.ring.set_gather(Gather { events: 3, micros: 60_000_000 });
    for (_, peer) in &mut peers {
        peer.write_all(b"x").unwrap();
    }
    let mut events = Vec::new();
    rig.ring.turn(Wait::Forever, &mut events).unwrap();
    assert_eq!(events.len(), 3);
    // One event only: it comes once the time is over, and no later than the deadline.
    rig.ring.set_gather(Gather { events: 3, micros: 1_000 });
    peers[0].1.write_all(b"y").unwrap();
    assert!(matches!(rig.next(), Event::Received { .. }));
    rig.ring.set_gather(Gather { events: 3, micros: 1_000 });
    rig.assert_silence();
    drop(events);
    for (socket, _) in peers {
        rig.ring.close(socket);
    }
    rig.finish();
}
