//! The HTTP side: API, live updates, inbox and dashboard.
