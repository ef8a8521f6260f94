//! The only crossing between the data plane and the control plane: bounded queues of commands and events.
