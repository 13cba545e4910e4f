/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of unix sockets, and what policy says about them. A path means what policy means only in the host's own mount
 * namespace and root.
 */
#ifndef LANDFAST_UNIX_H
#define LANDFAST_UNIX_H

#define LF_SUN_PATH     2 /* offset in struct sockaddr_un */
#define LF_SUN_PATH_LEN 108

/* Do the paths of the current task mean what they mean to the host's first process? */
static __always_inline bool lf_sees_host_paths(void)
{
	u64 task = bpf_get_current_task(), proxy = lf_field(task, LF_TASK_NSPROXY);
	u64 pids = lf_field(proxy, LF_NSPROXY_PID), first = lf_field(pids, LF_PID_NS_REAPER);
	u64 fs = lf_field(task, LF_TASK_FS), root = lf_field(first, LF_TASK_FS);

	return !lf_field32(pids, LF_PID_NS_LEVEL) &&
	       lf_field(proxy, LF_NSPROXY_MNT) == lf_field(lf_field(first, LF_TASK_NSPROXY), LF_NSPROXY_MNT) &&
	       lf_field(fs, LF_FS_ROOT) == lf_field(root, LF_FS_ROOT) &&
	       lf_field(fs, LF_FS_ROOT + 8) == lf_field(root, LF_FS_ROOT + 8);
}

/* The name in a sockaddr_un of `size` bytes, in memory of the kernel; false when there is none. */
static __always_inline bool lf_read_unix_name(u64 address, u64 size, struct lf_unix_name *name)
{
	u64 path = address + LF_SUN_PATH;
	long copied;

	if (size <= LF_SUN_PATH)
		return false;
	size -= LF_SUN_PATH;
	asm volatile("" : "+r"(size)); /* keeps both bounds where the verifier sees them */
	if (size > LF_SUN_PATH_LEN)
		return false;
	copied = bpf_probe_read_kernel_str(name->name, size + 1, (void *)path);
	if (copied > 1) {
		name->length = copied - 1;
		return true;
	}
	name->length = size;
	return !bpf_probe_read_kernel(name->name, size, (void *)path);
}

static __always_inline struct lf_grant *lf_unix_grant(struct lf_unix_name *name, u32 slot)
{
	void *peers = unix_peers.lookup(&slot);

	return peers ? bpf_map_lookup_elem(peers, name) : NULL;
}

/* Keeps the name for whoever reads the event. Its key: FNV-1a over the words. */
static __always_inline u64 lf_keep_name(struct lf_unix_name *name)
{
	u64 key = 0xcbf29ce484222325ULL;
	u32 *words = (u32 *)name;

#pragma clang loop unroll(full)
	for (u32 i = 0; i < sizeof(*name) / 4; i++)
		key = (key ^ words[i]) * 0x100000001b3ULL;
	unix_names.update(&key, name);
	return key;
}

/* What policy says about talking over the socket of this name; `name` is NULL, or has no length, when nothing is known
 * of it. */
static __always_inline void lf_decide_unix(struct lf_question *q, struct lf_answer *a, struct lf_unix_name *name)
{
	struct lf_sum sum = {};
	struct lf_policy *policy = lf_begin(q, a, &sum);
	struct lf_grant *grant;

	if (!policy)
		return;
	if (name && name->length) {
		q->detail = lf_keep_name(name);
		grant = lf_unix_grant(name, sum.slot);
		if (grant && lf_sees_host_paths())
			lf_add_grant(&sum, grant, LF_R_PEER);
		if (agent_sockets.lookup(name) && lf_sees_host_paths())
			lf_add(&sum, ~0ULL, 0, LF_R_PEER);
	}
	if (q->peer_tags && !(q->tags & ~q->peer_tags))
		lf_add(&sum, ~policy->loop_deny, 0, LF_R_SAME_CLASS);
	lf_conclude(q, a, &sum, policy);
}

#endif
