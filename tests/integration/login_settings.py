# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each setting that another user may make for our sessions (ALTER DATABASE … SET, ALTER ROLE … SET): ours, or why not.

Whoever owns a database decides what a login to it begins with, for each setting that every role may set: those of
context user in pg_settings, and the hidden ones. What comes with our login wins over that.
"""

from __future__ import annotations

import fnmatch

# Why they come with the login. The keys are those of login_settings.fixed() and the like, which a unit test compares.
OURS: dict[str, str] = {
    "DateStyle": "the driver would set it by a statement of its own, and by it we know that our settings have arrived",
    "IntervalStyle": "an interval as text would be another text",
    "client_min_messages": "a warning of the server is part of the result; debug messages would drown it",
    "default_transaction_deferrable": "with the next two a statement waits until no other one writes",
    "default_transaction_isolation": "on a hot standby serializable is an error",
    "default_transaction_read_only": "no group or connection limit could be changed",
    "exit_on_error": "the first refusal would end the session, and what was left to signal would not be",
    "extra_float_digits": "an age of 37 seconds would read as 40",
    "gp_resource_group_bypass": "what runs past the queue has little memory on Greenplum 6, too little for many locks",
    "gp_resource_group_queuing_timeout": "a slot would be waited for without end",
    "gp_select_invisible": "a SELECT would show rows that are deleted: roles, and groups of roles, that are no more",
    "idle_session_timeout": "the session would end between two looks at those it has signalled",
    "lock_timeout": "a lock would be waited for without end",
    "quote_all_identifiers": "names would come in quotes",
    "role": "we would act as somebody else",
    "search_path": "functions and operators of others would be called",
    "standard_conforming_strings": "a backslash in a literal would begin an escape",
    "statement_mem": "with very little, Greenplum 7 refuses each statement",
    "statement_timeout": "a statement would end too early, or never",
}

_PLANS = "how a statement is carried out, not what it says; what takes too long ends by our limits"
_MEMORY = "how much memory it takes; with too little it is slow, or an error"
_MOTION = "how parts of a plan on segments talk to each other; what takes too long ends by our limits"
_LOGS = "what the server writes to its own log; what it would send to the client, client_min_messages keeps back"
_TABLES = "users' tables and their storage, which no statement of ours reads, makes or changes"
_VACUUM = "VACUUM and ANALYZE, which we do not run"
_FORMATS = "types and formats that no statement of ours shows or reads"

LEFT: dict[str, tuple[str, ...]] = {
    _PLANS: (
        *("enable_*", "*_cost", "cpu_*_cost", "geqo*", "jit*", "*_collapse_limit", "cursor_tuple_fraction"),
        *("constraint_exclusion", "effective_cache_size", "*_io_concurrency", "plan_cache_mode", "optimizer*"),
        *("*parallel*", "recursive_worktable_factor", "optimize_bounded_sort", "execute_pruned_plan"),
        *("gp_enable_*", "gp_eager_*", "gp_hashagg_*", "gp_hashjoin_*", "gp_cost_hashjoin_chainwalk", "gp_cte_sharing"),
        *("gp_adjust_selectivity_*", "gp_selectivity_*", "gp_statistics_*", "gp_segments_for_planner", "gp_sort_*"),
        *("gp_motion_cost_per_row", "gp_dynamic_partition_pruning", "gp_distinct_grouping_sets_threshold"),
        *("gp_max_slices", "gp_recursive_cte*", "gp_ignore_window_exclude", "gp_mk_sort_check", "gp_indexcheck_*"),
        *("synchronize_seqscans", "gp_explain_jit", "explain_memory_verbosity", "stats_fetch_consistency"),
        *("gin_fuzzy_search_limit", "gin_pending_list_limit", "gp_disable_tuple_hints", "ignore_system_indexes"),
        *("gp_use_synchronize_seqscans_catalog_vacuum_full",),
    ),
    _MEMORY: (
        *("work_mem", "hash_mem_multiplier", "temp_buffers", "*_work_mem", "memory_spill_ratio"),
        *("gp_resgroup_memory_*", "gp_resqueue_memory_*", "gp_resource_group_enable_recalculate_query_mem"),
        *("gp_workfile_*", "memory_profiler_*", "vmem_process_interrupt", "gp_resgroup_print_operator_memory_limits"),
        *("gp_resqueue_print_operator_memory_limits",),
    ),
    _MOTION: (
        *("gp_interconnect_*", "gp_udp*", "gp_motion_slice_noop", "gp_max_packet_size", "gp_safefswritesize"),
        *(
            "gp_segment_connect_timeout",
            "gp_gang_creation_*",
            "gp_cached_segworkers_threshold",
            "gp_snapshotadd_timeout",
        ),
        *("gp_vmem_idle_resource_timeout", "resource_cleanup_gangs_on_wait", "gp_debug_linger"),
        *("gp_write_shared_snapshot", "gp_is_writer", "gp_qd_*", "allow_segment_DML"),
    ),
    _LOGS: (
        *("debug_*", "log_*", "trace_*", "gp_log_*", "gp_print_create_gang_time", "gp_perfmon_print_packet_info"),
        *("gp_debug_resqueue_priority", "gp_resgroup_debug_wait_queue", "gp_partitioning_dynamic_selection_log"),
        *("gpperfmon_log_alert_level",),
    ),
    _TABLES: (
        *("default_table_access_method", "default_tablespace", "temp_tablespaces", "default_with_oids"),
        *("default_toast_compression", "backend_flush_after", "wal_skip_threshold", "gp_appendonly_*"),
        *("gp_blockdirectory_*", "gp_create_table_random_default_distribution", "gp_default_storage_options"),
        *("gp_add_column_inherits_table_setting", "gp_allow_non_uniform_partitioning_ddl", "gp_use_legacy_hashops"),
        *("gp_allow_rename_relation_without_lock", "gp_keep_partition_children_locks", "gp_detect_data_correctness"),
        *("gp_external_*", "gp_ignore_error_table", "gp_initial_bad_row_limit", "gp_reject_percent_threshold"),
        *("gpfdist_retry_timeout", "readable_external_table_timeout", "writable_external_table_bufsize"),
        *("verify_gpfdists_cert", "gp_heap_require_relhasoids_match", "dml_ignore_target_partition_check"),
        *("dev_opt_unsafe_truncate_in_subtransaction", "allow_system_table_mods", "allow_dml_directory_table"),
        *("row_security", "restrict_nonsystem_relation_kind", "sql_inheritance", "gp_random_insert_segments"),
    ),
    _VACUUM: ("vacuum_*", "gp_autostats_*", "default_statistics_target"),
    _FORMATS: (
        *("TimeZone", "timezone_abbreviations", "bytea_output", "xmlbinary", "xmloption", "lc_monetary", "lc_numeric"),
        *("lc_time", "array_nulls", "default_text_search_config", "gp_allow_date_field_width_5digits"),
        *("enable_implicit_timeformat_*", "icu_validation_level"),
    ),
    "the client says it with the login": ("application_name", "client_encoding"),
    "no statement of ours compares with = NULL, has an escape in a literal, or depends on the order of operators": (
        *("transform_null_equals", "escape_string_warning", "backslash_quote", "operator_precedence_warning"),
    ),
    "we make no function, role or password": (
        "check_function_bodies",
        "createrole_self_grant",
        "*password*",
        "scram_*",
    ),
    "each statement of ours is a transaction of its own, so none is idle in one, and none has settings of its own": (
        *("idle_in_transaction_session_timeout", "transaction_*", "autocommit"),
    ),
    "how soon a commit is on disk; who lowers it risks our change together with his own": (
        *("synchronous_commit", "commit_siblings", "wal_sender_timeout"),
    ),
    "when a dead client is noticed: it may end our session, with an error, and change nothing that we read": (
        *("tcp_*", "client_connection_check_interval", "ssl_renegotiation_limit"),
    ),
    "libraries that an administrator has put into the server's folder plugins": ("local_preload_libraries",),
    "it cannot be set for a database or role, or the server passes over it": (
        *("session_authorization", "seed", "post_auth_delay", "gp_role", "gp_session_role", "gp_session_id"),
        *("gp_maintenance_conn", "gp_retrieve_conn"),
    ),
    "it comes into play before or after the wait for a slot only, which our own limits bound": (
        *("gp_resource_group_bypass_catalog_query", "gp_resource_group_bypass_direct_dispatch"),
        *("gp_resource_group_move_timeout",),
    ),
    "settings of procedural languages and extensions; functions of mdb_toolkit are a superuser's": ("*.*",),
}


def why_left(name: str) -> str | None:
    """Why a setting is not ours."""
    found = [why for why, patterns in LEFT.items() for each in patterns if fnmatch.fnmatchcase(name, each)]
    return found[0] if found else None
