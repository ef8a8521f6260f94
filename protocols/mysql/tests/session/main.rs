//! Sessions against scripts of both sides' bytes: what is forwarded, refused, masked and reported, and
//! that none of it depends on how the bytes were cut.
//!
//! What has broken other gateways, and the test that would see it here (`session` is this folder; what names a file of
//! `tests/tests` runs before real servers):
//!
//! | what breaks | test |
//! |---|---|
//! | a message of 16 MiB and more, an exact multiple, ids that wrap at 255 | `packet`: `a_long_message_is_cut_and_an_exact_multiple_ends_with_an_empty_packet`; `session::masks`: `a_row_of_several_packets_is_masked_across_them`; `mysql_drivers` (values over 16 MiB both ways) |
//! | ids where a packet is added, removed or out of order | `session::masks`: `rows_whose_length_changes_are_rebuilt_between_those_that_stay`; `session::login`: `the_two_legs_of_a_change_count_apart`; `session::faults`: `packets_out_of_order_end_the_session` |
//! | DEPRECATE_EOF on one side, an OK with header 0xfe, a row that looks like an end | `capability`; `session::text`: `a_row_may_begin_like_an_end`; `mysql_session` in five dialects |
//! | several statements, results and out parameters, the capability switched later | `session::text`: `several_results_are_reported_one_by_one`; `session::prepared`: `out_parameters_are_masked_like_rows`; `mysql_session` (COM_SET_OPTION) |
//! | cursors, long data, COM_STMT_RESET, bulk execution, id −1 | `session::prepared`; `parameters`; `mysql_row_limit` |
//! | LOCAL INFILE | `session::local_file`; `mysql_local_file`; the corpus in `tests/evasion/mysql` |
//! | COM_CHANGE_USER | `session::login`; `mysql_users` |
//! | COM_RESET_CONNECTION, COM_INIT_DB, COM_FIELD_LIST, COM_STATISTICS, COM_PROCESS_KILL, COM_BINLOG_DUMP, unknown ones | `session::login`, `session::commands`; `mysql_users` (KILL); `mysql_session`: `replication_is_refused_and_recorded_before_mariadb` |
//! | commands ahead of replies | `session::text`: `a_refused_statement_is_answered_in_its_turn_and_not_sent`; `session::faults`: `endless_pipelines_are_bounded` |
//! | MariaDB's flags in reserved bytes, extended metadata, left-out definitions | `greeting`, `response`, `capability`: `what_cannot_be_inspected_is_not_offered`; `session::masks`: `extended_metadata_does_not_hide_the_origin` |
//! | attributes before the SQL | `parameters`; `session::text`: `attributes_come_before_the_text` |
//! | progress reports that look like errors | `session::text`: `progress_is_no_error` |
//! | session tracking, its flag without data | `reply`: `ok_is_read_with_and_without_tracking`; `session::text`: `changes_of_the_session_reach_the_guard_and_only_clients_that_asked` |
//! | caching_sha2_password fast and full, auth switch, clear passwords, ed25519, parsec | `auth`; `session::handshakes` (real exchanges); `mysql_tools`: `every_plugin_of_the_servers_passes`, `parsec_passes` |
//! | compression | `capability`: `what_cannot_be_inspected_is_not_offered`; the corpus in `tests/evasion/mysql` |
//! | settings that change how the next text is read, sent ahead of it | `session::login`: `what_follows_a_statement_that_unsettles_waits_until_the_settings_are_known`; `mysql_session`: `what_a_set_changes_on_mysql_is_known_before_the_next_statement_is_read` |
//! | character sets, `NO_BACKSLASH_ESCAPES`, `ANSI_QUOTES`, version comments | the lexer's tests in `policy`; the corpus in `tests/evasion/mysql` |

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is a failed test")]

mod captures;
mod commands;
mod faults;
mod guard;
mod handshakes;
mod limited;
mod local_file;
mod login;
mod masks;
mod messages;
mod prepared;
mod simulation;
mod splits;
mod text;
