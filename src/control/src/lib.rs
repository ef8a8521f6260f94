//! The control plane on one tokio thread: admin and metrics HTTP, config reload.
