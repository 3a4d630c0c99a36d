//! Tests against the real things: one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test ends where something unforeseen happens, and says what it measured"
)]

mod action;
mod answers;
mod architecture;
mod archive_order;
mod archive_proof;
mod archives;
mod around;
mod changes;
mod checks;
mod cleanup;
mod cluster_words;
mod clusters;
mod column_order;
mod command_line;
mod compose;
mod compression;
mod configuration;
mod connecting;
mod create;
mod create_fails;
mod create_formats;
mod create_under_way;
mod diff;
mod docs;
mod doctor;
mod drills;
mod equality;
mod event_triggers;
mod extension_tables;
mod extract;
mod faults;
mod faulty_way;
mod globals;
mod hand_made;
mod interruption;
mod kept;
mod lacking;
mod lending;
mod limits;
mod local;
mod locales;
mod monitoring;
mod museum;
mod newer_pg_dump;
mod newer_server;
mod notify;
mod old_manifests;
mod oracle;
mod order;
mod pg_restore;
mod pipes;
mod places;
mod proof;
mod pulling;
mod reaching;
mod read_back;
mod readme;
mod reports;
mod restore;
mod retention;
mod roles;
mod s3_servers;
mod sandbox;
mod sealed;
mod second_opinion;
mod secrets;
mod signing;

mod spans;
mod strategy;
mod support;
mod torture;
mod units;
mod values;
mod verify_bad_backup;
mod verify_cannot_tell;
mod verify_good;
mod verify_latest;
mod verify_manifest;
mod waiting;
mod workflow;
