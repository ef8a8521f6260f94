//! The list of what is to be sent, against a plain byte string.

use super::*;
use crate::ring::pool::Pool;

fn flat(outgoing: &Outgoing) -> Vec<u8> {
    outgoing.pieces().collect::<Vec<_>>().concat()
}

fn pool(buffers: u16) -> Rc<Pool> {
    Pool::new(&RingConfig { entries: 1, buffers, buffer_bytes: 4096 }).unwrap()
}

#[test]
fn a_chunk_goes_back_as_soon_as_its_last_range_is_sent() {
    let pool = pool(4);
    let mut outgoing = Outgoing::new();
    let first = outgoing.add_chunk(Chunk::for_test(&pool, 0, b"abcdef"));
    outgoing.push_range(first, 0..2);
    outgoing.push_heap(b"XY".to_vec());
    outgoing.push_range(first, 4..6);
    let second = outgoing.add_chunk(Chunk::for_test(&pool, 1, b"ghi"));
    outgoing.push_range(second, 0..3);
    assert_eq!(flat(&outgoing), b"abXYefghi");
    assert_eq!((outgoing.len(), outgoing.chunks_held()), (9, 2));
    outgoing.advance(5);
    assert_eq!((flat(&outgoing), outgoing.chunks_held()), (b"fghi".to_vec(), 2));
    outgoing.advance(1);
    assert_eq!((pool.free(), outgoing.chunks_held()), (3, 1));
    outgoing.advance(3);
    outgoing.invariants();
    assert!(outgoing.is_empty() && pool.free() == 4);
}

#[test]
fn a_chunk_of_which_nothing_is_sent_goes_back_with_the_next_advance() {
    let pool = pool(2);
    let mut outgoing = heap(b"x");
    outgoing.add_chunk(Chunk::for_test(&pool, 0, b"masked away"));
    outgoing.advance(1);
    assert_eq!(pool.free(), 2);
}

#[test]
fn ranges_that_touch_are_one() {
    let mut outgoing = Outgoing::new();
    let source = outgoing.add_heap(b"abcdef".to_vec());
    outgoing.push_range(source, 0..2);
    outgoing.push_range(source, 2..2);
    outgoing.push_range(source, 2..6);
    assert_eq!(outgoing.pieces().count(), 1);
    outgoing.push_range(source, 0..1);
    assert_eq!(flat(&outgoing), b"abcdefa");
    outgoing.invariants();
}

#[test]
#[should_panic(expected = "no range 2..7 in source 0")]
fn a_range_outside_of_its_source_is_not_taken() {
    let mut outgoing = Outgoing::new();
    let source = outgoing.add_heap(b"abcdef".to_vec());
    outgoing.push_range(source, 2..7);
}

#[test]
#[should_panic(expected = "in source 0")]
fn a_source_that_is_gone_is_not_taken_for_another() {
    let mut outgoing = heap(b"first");
    outgoing.advance(5);
    outgoing.push_heap(b"second".to_vec());
    outgoing.push_range(0, 0..1);
}

#[test]
fn moving_to_the_heap_keeps_the_bytes_and_frees_the_chunks() {
    let pool = pool(8);
    let mut outgoing = Outgoing::new();
    let mut expected = Vec::new();
    for buffer in 0..8 {
        let bytes = pattern(u64::from(buffer), 3000);
        let own = outgoing.add_heap(b"<own>".to_vec());
        let source = outgoing.add_chunk(Chunk::for_test(&pool, buffer, &bytes));
        outgoing.push_range(source, 0..1000);
        outgoing.push_range(own, 0..2);
        outgoing.push_range(source, 1500..3000);
        outgoing.push_range(own, 2..5);
        outgoing.push_shared(Rc::from(&b"shared"[..]));
        expected.extend_from_slice(&bytes[..1000]);
        expected.extend_from_slice(b"<o");
        expected.extend_from_slice(&bytes[1500..]);
        expected.extend_from_slice(b"wn>shared");
    }
    outgoing.advance(10);
    outgoing.to_heap();
    outgoing.invariants();
    assert_eq!((pool.free(), outgoing.chunks_held()), (8, 0));
    assert_same(&flat(&outgoing), &expected[10..]);
}

#[test]
fn a_growing_backlog_is_copied_once_and_in_few_pieces() {
    let pool = pool(2);
    let mut outgoing = Outgoing::new();
    let mut expected = Vec::new();
    for round in 0..1000 {
        let bytes = pattern(round, 4096);
        let source = outgoing.add_chunk(Chunk::for_test(&pool, 0, &bytes));
        outgoing.push_range(source, 0..4096);
        outgoing.to_heap();
        expected.extend_from_slice(&bytes);
    }
    assert!(outgoing.pieces().count() <= 20, "{}", outgoing.pieces().count());
    assert_same(&flat(&outgoing), &expected);
    outgoing.invariants();
}

/// Sequences of operations against a byte string.
#[test]
fn any_sequence_of_operations_keeps_the_bytes() {
    for seed in 1..300_u64 {
        let pool = pool(16);
        let mut random = pattern(seed, 4000).into_iter().map(usize::from);
        let mut next = |below: usize| random.next().map_or(0, |value| value % below);
        let mut free: Vec<u16> = (0..16).collect();
        let mut outgoing = Outgoing::new();
        let mut model: Vec<u8> = Vec::new();
        for step in 0..120 {
            let bytes = pattern(seed * 1000 + step, 1 + next(100));
            let len = bytes.len();
            let (from, to) = (next(len), len);
            match next(7) {
                0 | 1 => {
                    let source = match free.pop() {
                        Some(buffer) => outgoing.add_chunk(Chunk::for_test(&pool, buffer, &bytes)),
                        None => outgoing.add_heap(bytes.clone()),
                    };
                    outgoing.push_range(source, from..to);
                    outgoing.push_range(source, 0..from);
                    model.extend_from_slice(&bytes[from..to]);
                    model.extend_from_slice(&bytes[..from]);
                }
                2 => {
                    model.extend_from_slice(&bytes);
                    outgoing.push_heap(bytes);
                }
                3 => {
                    let mut other = heap(&bytes);
                    other.advance(from);
                    other.push_shared(Rc::from(&bytes[..from]));
                    model.extend_from_slice(&bytes[from..]);
                    model.extend_from_slice(&bytes[..from]);
                    outgoing.append(other);
                }
                4 => outgoing.to_heap(),
                _ => {
                    let count = next(256).min(model.len());
                    outgoing.advance(count);
                    model.drain(..count);
                }
            }
            outgoing.invariants();
            assert_eq!(flat(&outgoing), model, "seed {seed}, step {step}");
            assert_eq!(pool.total() - pool.free(), u16::try_from(outgoing.chunks_held()).unwrap());
        }
        outgoing.clear();
        assert_eq!(pool.free(), pool.total());
        outgoing.invariants();
    }
}
