//! The admin server: `/metrics`, `/healthz`, `/readyz`.
//!
//! It answers without authentication and is meant for the loopback interface or a network of its own: it shows
//! names of listeners and rules, and counts; never a statement, a user or a value.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::exposition::CONTENT_TYPE;
use crate::fleet::Fleet;
use crate::metrics::render;

/// The routes.
pub(crate) fn router(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/readyz", get(readyz))
        .with_state(fleet)
}

/// The process lives and its control plane answers.
async fn healthz() -> &'static str {
    "alive\n"
}

/// Clients should be sent here; where not, each line says why.
async fn readyz(State(fleet): State<Arc<Fleet>>) -> Response {
    let reasons = fleet.reasons();
    if reasons.is_empty() {
        return "ready\n".into_response();
    }
    let mut text = reasons.join("\n");
    text.push('\n');
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics(State(fleet): State<Arc<Fleet>>) -> Response {
    let (own, shards) = fleet.figures().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&own, &shards)).into_response()
}
