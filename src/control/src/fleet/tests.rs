//! The fleet against shards that are played by the test.

use super::*;
use bridge::{ShardLink, link};
use policy::config::Config;

const CONFIG: &str = r#"
[[listen]]
name = "orders"
protocol = "postgres"
address = "127.0.0.1:6432"
upstream = "127.0.0.1:5432"
"#;

fn snapshot(generation: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot::compile(Arc::new(Config::parse(CONFIG, "wiregate.toml").unwrap()), generation))
}

fn fleet(shards: usize) -> (Arc<Fleet>, Vec<ShardLink>) {
    let (shard_links, control_links) = (0..shards).map(|_| link()).unzip();
    (Arc::new(Fleet::new(control_links, 1, &Arc::new(Notify::new()))), shard_links)
}

fn commands(link: &ShardLink) -> Vec<String> {
    std::iter::from_fn(|| link.commands.try_recv()).map(|command| format!("{command:?}")).collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn answer(link: &ShardLink, sessions: u64) {
    assert_eq!(commands(link), ["CollectMetrics"]);
    let mut metrics = ShardMetrics::new(["orders"]);
    metrics.listeners[0].sessions_total = sessions;
    link.events.send(Event::Metrics(Box::new(metrics))).unwrap();
}

#[test]
fn figures_are_added_over_shards() {
    let (fleet, links) = fleet(2);
    let (own, sum) = block_on(async {
        let asking = tokio::spawn({
            let fleet = Arc::clone(&fleet);
            async move { fleet.figures().await }
        });
        tokio::task::yield_now().await;
        answer(&links[0], 2);
        answer(&links[1], 3);
        fleet.take_events();
        asking.await.unwrap()
    });
    assert_eq!(sum.listeners[0].sessions_total, 5);
    assert_eq!((own.shards_stale, own.generation), (0, 1));
}

#[test]
fn a_shard_that_does_not_answer_counts_as_it_last_did() {
    let (fleet, links) = fleet(1);
    block_on(async {
        let ask = || {
            let fleet = Arc::clone(&fleet);
            tokio::spawn(async move { fleet.figures().await })
        };
        let first = ask();
        tokio::task::yield_now().await;
        answer(&links[0], 2);
        fleet.take_events();
        first.await.unwrap();
        let (own, sum) = ask().await.unwrap();
        assert_eq!((own.shards_stale, sum.listeners[0].sessions_total), (1, 2));
    });
}

#[test]
fn a_shard_that_ended_is_not_waited_for() {
    let (fleet, mut links) = fleet(2);
    links[0].events.send(Event::Stopped { shard: 0 }).unwrap();
    drop(links.pop());
    fleet.take_events();
    let (own, _) = block_on(fleet.figures());
    assert_eq!((own.shards_stale, own.shards_failed), (0, 1));
    assert_eq!(fleet.reasons(), ["shard 0 has stopped", "shard 1 has failed: it ended without saying why"]);
}

#[test]
fn readiness_follows_what_shards_report() {
    let (fleet, links) = fleet(1);
    assert_eq!(fleet.reasons().len(), 1);
    links[0].events.send(Event::Listening { shard: 0 }).unwrap();
    fleet.take_events();
    assert!(fleet.reasons().is_empty());
    let full = Event::AuditState { shard: 0, ok: false, error: Some("disk full".to_owned()) };
    links[0].events.send(full).unwrap();
    fleet.take_events();
    assert_eq!(fleet.reasons(), ["shard 0 cannot write its audit log: disk full"]);
    links[0].events.send(Event::AuditState { shard: 0, ok: true, error: None }).unwrap();
    fleet.take_events();
    assert!(fleet.reasons().is_empty());
    fleet.stop(Duration::from_secs(1));
    assert_eq!(fleet.reasons(), ["the gateway is stopping"]);
}

#[test]
fn a_policy_and_a_stop_reach_a_shard_whose_queue_was_full() {
    let (fleet, links) = fleet(1);
    let control = &fleet;
    while control.lock().shards[0].commands.send(Command::CollectMetrics).is_ok() {}
    fleet.load(&snapshot(2));
    fleet.load(&snapshot(3));
    fleet.stop(Duration::from_secs(9));
    assert!(commands(&links[0]).iter().all(|command| command == "CollectMetrics"));
    fleet.send_waiting();
    assert_eq!(commands(&links[0]), ["Policy", "Certificates", "Stop(9s)"]);
    fleet.send_waiting();
    assert!(commands(&links[0]).is_empty());
}

#[test]
fn audit_lines_go_to_one_living_shard_each() {
    let (fleet, links) = fleet(2);
    links[0].events.send(Event::Failed { shard: 0, error: "ring".to_owned() }).unwrap();
    fleet.take_events();
    fleet.audit(b"{}\n".to_vec());
    fleet.audit(b"[]\n".to_vec());
    assert!(commands(&links[0]).is_empty());
    assert_eq!(commands(&links[1]), ["Audit(3 bytes)", "Audit(3 bytes)"]);
}
