//! Whether the gateway should be sent clients, and why not. Pure.

/// Where one shard is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It does not accept clients yet.
    #[default]
    Starting,
    /// It accepts clients.
    Listening,
    /// It ended as it was told.
    Stopped,
    /// It ended by itself.
    Failed(String),
}

/// What readiness depends on of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardState {
    /// Where it is in its life.
    pub(crate) phase: Phase,
    /// Why its audit log cannot be written.
    pub(crate) audit_error: Option<String>,
}

/// Why the gateway is not ready, one reason a line; empty where it is.
pub(crate) fn reasons<'a>(shards: impl Iterator<Item = &'a ShardState>, stopping: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    if stopping {
        reasons.push("the gateway is stopping".to_owned());
    }
    for (index, shard) in shards.enumerate() {
        match &shard.phase {
            Phase::Starting => reasons.push(format!("shard {index} does not accept clients yet")),
            Phase::Stopped if !stopping => reasons.push(format!("shard {index} has stopped")),
            Phase::Listening | Phase::Stopped => {}
            Phase::Failed(error) => reasons.push(format!("shard {index} has failed: {error}")),
        }
        if let Some(error) = &shard.audit_error {
            reasons.push(format!("shard {index} cannot write its audit log: {error}"));
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(phase: Phase) -> ShardState {
        ShardState { phase, audit_error: None }
    }

    #[test]
    fn ready_means_every_shard_listens_and_can_write() {
        let mut shards = [shard(Phase::Listening), shard(Phase::Starting)];
        assert_eq!(reasons(shards.iter(), false), ["shard 1 does not accept clients yet"]);
        shards[1].phase = Phase::Listening;
        assert!(reasons(shards.iter(), false).is_empty());
        shards[0].audit_error = Some("disk full".to_owned());
        assert_eq!(reasons(shards.iter(), false), ["shard 0 cannot write its audit log: disk full"]);
    }

    #[test]
    fn a_stopping_or_failed_gateway_is_not_ready() {
        let shards = [shard(Phase::Stopped), shard(Phase::Failed("ring".to_owned()))];
        assert_eq!(reasons(shards.iter(), true), ["the gateway is stopping", "shard 1 has failed: ring"]);
        assert_eq!(reasons(shards.iter(), false), ["shard 0 has stopped", "shard 1 has failed: ring"]);
    }
}
