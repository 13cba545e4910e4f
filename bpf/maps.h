/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map: who writes it, why it has its size, and what a full one means. Sizes that depend on the host are set by
 * the loader. No map that a denial depends on evicts entries by itself.
 */
#ifndef LANDFAST_MAPS_H
#define LANDFAST_MAPS_H

/* State of the selector automaton while a path is matched. */
struct lf_match {
	char path[LF_PATH_LEN];
	u64 active[LF_GLOB_WORDS];
	u64 matched[LF_GLOB_WORDS];
};

/* The switch. Written by the daemon; programs write wake_ns and reserve_used only. */
BPF_F_TABLE("array", u32, struct lf_control, control, 1, BPF_F_MMAPABLE);

/* The policy slots. Written by the daemon, always the slot that is not active. */
BPF_TABLE("array", u32, struct lf_policy, policies, LF_SLOTS);
BPF_F_TABLE("lpm_trie", struct lf_dest_key, struct lf_dest, dest_template, 1, BPF_F_NO_PREALLOC);
BPF_ARRAY_OF_MAPS(dests, "dest_template", LF_SLOTS);
BPF_F_TABLE("lpm_trie", struct lf_port_key, struct lf_grant, port_template, 1, BPF_F_NO_PREALLOC);
BPF_ARRAY_OF_MAPS(ports, "port_template", LF_SLOTS);
BPF_F_TABLE("hash", struct lf_unix_name, struct lf_grant, unix_template, 1, BPF_F_NO_PREALLOC);
BPF_ARRAY_OF_MAPS(unix_peers, "unix_template", LF_SLOTS);

/* Name of the agent's own control socket, written by the loader: whoever carries tags may still ask for more. */
BPF_F_TABLE("hash", struct lf_unix_name, u64, agent_sockets, 1, BPF_F_NO_PREALLOC);
BPF_TABLE("array", u32, struct lf_timed_set, timed_sets, LF_SLOTS *LF_TIMED_SETS);
BPF_TABLE("array", u32, struct lf_instant, instants, LF_SLOTS *LF_INSTANTS);
BPF_TABLE("array", u32, struct lf_glob, globs, LF_SLOTS);
BPF_TABLE("array", u32, struct lf_glob_row, glob_rows, LF_SLOTS * 256);
BPF_TABLE("array", u32, struct lf_glob_tags, glob_tags, LF_SLOTS);

/*
 * Tagged thread groups, by tgid. Written by the task programs and the daemon. The loader sizes it for as many
 * processes as the host can have, so it cannot fill up; if the kernel has no memory for an entry, the reserve, which
 * is allocated beforehand, takes it; if that is full too, the parent is killed.
 */
BPF_F_TABLE("hash", u32, struct lf_task, tasks, 32768, BPF_F_NO_PREALLOC);
BPF_TABLE("hash", u32, struct lf_task, task_reserve, 1024);

/* Not 0 where a tagged thread group's number may lie: tgid % LF_FILTER. Entries are set, and never cleared. */
BPF_TABLE("array", u32, u32, maybe_tagged, LF_FILTER);

/* Recent forks of everybody, for `tag`. Losing an entry makes a dead branch of a tree harder to find, no more. */
BPF_TABLE("lru_hash", u32, struct lf_birth, births, 16384);

/* What tagged processes executed. Losing an entry makes an event less readable, no more. */
BPF_TABLE("lru_hash", u64, struct lf_image, images, 4096);

/* The name that a thread, by address of its task, is connecting or sending to, until lsm.c has judged who holds it.
 * Losing an entry means that no rule about names applies. */
BPF_TABLE("lru_hash", u64, struct lf_unix_name, unix_calls, 4096);

/* Names of unix sockets that events are about. Losing an entry makes an event less readable, no more. */
BPF_TABLE("lru_hash", u64, struct lf_unix_name, unix_names, 4096);

/* Tags of selected cgroups, by id. Written at mkdir and by the daemon. A full map is counted: processes of further
 * cgroups are tagged late, by the daemon. */
BPF_F_TABLE("hash", u64, u64, cgroups, 65536, BPF_F_NO_PREALLOC);

/* Addresses of this host; kept by the daemon. Only the early refusal in connect depends on it: egress sees the
 * device. */
BPF_F_TABLE("hash", struct in6_addr, u64, local_addresses, 4096, BPF_F_NO_PREALLOC);

/* UDP peers that a socket has heard from. An evicted or missing entry means that the peer cannot be answered. */
BPF_TABLE("lru_hash", struct lf_heard_key, u64, heard, 65536);

BPF_TABLE("percpu_array", u32, u64, counters, LF_COUNTER_SLOTS);

BPF_TABLE("percpu_array", u32, struct lf_match, matching, 1);

/* An image being put together: too large for the stack. Names only; a mix-up by preemption harms no verdict. */
BPF_TABLE("percpu_array", u32, struct lf_image, image_scratch, 1);

BPF_RINGBUF_OUTPUT(events, 1024);

/* What a socket remembers. By hand, since BCC's macro has no clone flag: accepted sockets inherit. */
struct lf_sock_table {
	int key;
	struct lf_sock leaf;
	void *(*sk_storage_get)(void *, void *, int);
	int (*sk_storage_delete)(void *);
	u32 max_entries;
	int flags;
};
__attribute__((section("maps/sk_storage"))) struct lf_sock_table sockets = {
	.flags = BPF_F_NO_PREALLOC | BPF_F_CLONE,
};
BPF_ANNOTATE_KV_PAIR(sockets, int, struct lf_sock);

static __always_inline struct lf_control *lf_control(void)
{
	u32 zero = 0;
	return control.lookup(&zero);
}

static __always_inline void lf_count(u32 index)
{
	u64 *counter = counters.lookup(&index);
	if (counter)
		(*counter)++;
}

static __always_inline void lf_count_at(u32 stage, u32 counter)
{
	lf_count(stage * LF_COUNTERS + counter);
}

static __always_inline void lf_count_failure(u32 failure)
{
	lf_count(LF_STAGES * LF_COUNTERS + failure);
}

#endif
