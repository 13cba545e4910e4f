/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The policy decision: a pure function of a question and the active policy. The same rules, without tries and masks,
 * are in landfast/policy/evaluate.py; a property test holds one against the other.
 *
 * Worked example. Class 3 may talk to 10.20.0.0/16 on tcp/443, class 5 to 10.0.0.0/8 on any port. A process with both
 * connects to 10.20.1.1 tcp/443: the longest prefix is 10.20.0.0/16, which inherits class 5 (any), and its port table
 * grants class 3: nothing is missing, ALLOW. To tcp/80: class 3 is missing, DENY.
 */
#ifndef LANDFAST_DECIDE_H
#define LANDFAST_DECIDE_H

#define LF_FOREVER     (~0ULL >> 1)
#define LF_NO_RULE_YET 0xffffffffU

struct lf_question {
	u64 tags;
	u64 peer_tags; /* of the local socket that would receive; 0 when there is none */
	u8 remote[16];
	u16 remote_port;
	u16 local_port;
	u8 protocol;
	u8 local;   /* remote is an address of this host */
	u8 serving; /* an answer: to a client that we accepted or heard from */
	u8 foreign; /* not the network namespace in which rules hold */
	u64 detail; /* for the event */
};

struct lf_answer {
	u64 missing;
	u64 deadline_ns; /* an ALLOW holds until then */
	u64 generation;
	u64 version;
	u32 rule;
	u8 verdict;
	u8 reason;
	u16 pad;
};

/* What is known so far while grants are added up. */
struct lf_sum {
	u64 tags;
	u64 now;
	u64 allowed;
	u64 expired;
	u64 deadline_ns;
	u32 slot;
	u32 rule;
	u32 reason; /* by which the lowest class is allowed */
};

/*
 * Reads a value on the stack onto itself: the verifier forgets what it knew about it, and takes paths for one that
 * differ by nothing else. Without it Linux 6.1 gives up on egress after a million instructions.
 */
static __always_inline void lf_blur(void *value, u32 size)
{
	bpf_probe_read_kernel(value, size, value);
}

static __always_inline void lf_add(struct lf_sum *sum, u64 classes, u32 rule, u32 reason)
{
	u64 lowest = sum->tags & -sum->tags;
	u64 gained = classes & sum->tags & ~sum->allowed;

	if (!gained)
		return;
	if (gained & lowest)
		sum->reason = reason;
	sum->rule = sum->rule == LF_NO_RULE_YET || sum->rule == rule ? rule : 0;
	sum->allowed |= gained;
}

/* How many bits are set, without a branch. */
static __always_inline u32 lf_ones(u64 x)
{
	x -= x >> 1 & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return x * 0x0101010101010101ULL >> 56;
}

/* All bits if a < b, else none, for times below LF_FOREVER. */
static __always_inline u64 lf_if_before(u64 a, u64 b)
{
	return -((a - b) >> 63);
}

/*
 * Adds the classes whose own instant has not come yet. One turn per class that is open, and no branch but the end:
 * the verifier follows every combination of the others.
 */
static __always_inline void lf_add_timed(struct lf_sum *sum, struct lf_grant *grant, u32 reason)
{
	u64 open = grant->timed & sum->tags & ~sum->allowed;
	u32 index = sum->slot * LF_TIMED_SETS + (grant->timed_set & (LF_TIMED_SETS - 1));
	u64 valid = 0, deadline = sum->deadline_ns, expired = open;
	struct lf_timed_set *set;

	if (!open)
		return;
	lf_blur(sum, sizeof(*sum));
	set = timed_sets.lookup(&index);
	if (!set)
		return;
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < LF_CLASSES; turn++) {
		u64 class = open & -open, alive, until;
		struct lf_instant *instant;
		u32 at = lf_ones(class - 1) & (LF_CLASSES - 1);

		if (!class)
			break;
		open ^= class;
		at = sum->slot * LF_INSTANTS + (set->instant[at] & (LF_INSTANTS - 1));
		instant = instants.lookup(&at);
		if (!instant)
			break;
		alive = lf_if_before(sum->now, instant->boot_ns);
		until = (instant->boot_ns & alive) | (LF_FOREVER & ~alive);
		deadline ^= (deadline ^ until) & lf_if_before(until, deadline);
		valid |= class & alive;
	}
	sum->deadline_ns = deadline;
	sum->expired |= expired & ~valid;
	lf_add(sum, valid, grant->rule, reason);
}

static __always_inline void lf_add_grant(struct lf_sum *sum, struct lf_grant *grant, u32 reason)
{
	lf_add(sum, grant->classes, grant->rule, reason);
	lf_add_timed(sum, grant, reason);
}

/* The port table's grant for a destination; NULL when there is none, or nothing is missing any more. */
static __always_inline struct lf_grant *lf_port_grant(struct lf_sum *sum, struct lf_dest *dest, u8 protocol, u16 port)
{
	struct lf_port_key key = {
		.prefixlen = 64,
		.ports = dest->ports,
		.protocol = protocol,
		.port_be = bpf_htons(port),
	};
	u32 slot = sum->slot;
	void *trie;

	if (!dest->ports || !(sum->tags & ~sum->allowed))
		return NULL;
	trie = ports.lookup(&slot);
	return trie ? bpf_map_lookup_elem(trie, &key) : NULL;
}

static __always_inline struct lf_dest *lf_dest(struct lf_sum *sum, u32 space, const u8 *address)
{
	struct lf_dest_key key = {.prefixlen = 32 + 128, .space = space};
	u32 slot = sum->slot;
	void *trie = dests.lookup(&slot);

	__builtin_memcpy(key.address, address, 16);
	return trie ? bpf_map_lookup_elem(trie, &key) : NULL;
}

/* Loops are kept as loops: one copy of the code for both grants, and for both spaces below. */
static __always_inline void lf_add_space(struct lf_sum *sum, struct lf_question *q, u32 space, u16 port, u32 reason)
{
	struct lf_dest *dest = lf_dest(sum, space, q->remote);
	struct lf_grant *grant = &dest->any;

	if (!dest)
		return;
#pragma clang loop unroll(disable)
	for (u32 turn = 0; turn < 2 && grant; turn++) {
		lf_add_grant(sum, grant, reason);
		grant = turn ? NULL : lf_port_grant(sum, dest, q->protocol, port);
	}
}

static __always_inline void lf_add_rules(struct lf_sum *sum, struct lf_question *q)
{
#pragma clang loop unroll(disable)
	for (u32 serving = 0; serving <= q->serving; serving++) {
		u32 to = q->local ? LF_SPACE_PEER : LF_SPACE_ALLOW;
		u32 why = q->local ? LF_R_PEER : LF_R_RULE;

		lf_add_space(sum, q, serving ? LF_SPACE_SERVE : to, serving ? q->local_port : q->remote_port,
		             serving ? LF_R_SERVE : why);
		if (serving)
			break;
	}
}

static __always_inline u32 lf_denial(struct lf_sum *sum, struct lf_question *q, u64 missing, u64 loaded)
{
	if (missing & ~loaded)
		return LF_R_UNKNOWN_CLASS;
	if (sum->expired & missing & -missing)
		return LF_R_EXPIRED;
	if (q->foreign && !q->local)
		return LF_R_FOREIGN_NAMESPACE;
	return q->local ? LF_R_UNTAGGED_PEER : LF_R_NO_RULE;
}

static __always_inline void lf_refuse_all(struct lf_answer *a, u64 tags, u32 reason)
{
	a->missing = tags;
	a->verdict = LF_DENY;
	a->reason = reason;
	a->rule = 0;
	a->deadline_ns = LF_FOREVER;
}

/* Classes that only record. Refusals that are not about a destination ask this too. */
static __always_inline u32 lf_enforced(struct lf_policy *policy, u64 missing)
{
	return missing & ~(policy->audit & policy->loaded) ? LF_DENY : LF_WOULD_DENY;
}

/* The active policy, NULL before the first. */
static __always_inline struct lf_policy *lf_active(void)
{
	struct lf_control *ctl = lf_control();
	u32 slot;

	if (!ctl || !ctl->generation)
		return NULL;
	slot = ctl->generation % LF_SLOTS;
	return policies.lookup(&slot);
}

/* Refuses, as far as the classes enforce, what is not about a destination. */
static __always_inline void lf_refuse_for(struct lf_answer *a, u64 tags, u32 reason)
{
	struct lf_policy *policy = lf_active();

	lf_refuse_all(a, tags, reason);
	if (policy) {
		a->version = policy->version;
		a->verdict = lf_enforced(policy, tags);
	}
}

/* The policy to ask, and nothing granted yet but what `loopback` says. NULL, with the answer given: there is none. */
static __always_inline struct lf_policy *lf_begin(struct lf_question *q, struct lf_answer *a, struct lf_sum *sum)
{
	struct lf_policy *policy = lf_active();

	if (!policy) {
		lf_refuse_all(a, q->tags, LF_R_NO_POLICY);
		return NULL;
	}
	lf_blur(q, sizeof(*q));
	a->generation = policy->generation;
	a->version = policy->version;
	sum->tags = q->tags;
	sum->now = bpf_ktime_get_boot_ns();
	sum->deadline_ns = LF_FOREVER;
	sum->rule = LF_NO_RULE_YET;
	sum->slot = policy->generation % LF_SLOTS;
	if (q->local)
		lf_add(sum, policy->loop_allow, 0, LF_R_LOOPBACK);
	return policy;
}

static __always_inline void lf_conclude(struct lf_question *q, struct lf_answer *a, struct lf_sum *sum,
                                        struct lf_policy *policy)
{
	a->missing = q->tags & ~(sum->allowed & policy->loaded);
	if (a->missing) {
		a->verdict = lf_enforced(policy, a->missing);
		a->reason = lf_denial(sum, q, a->missing, policy->loaded);
		a->rule = 0;
	} else {
		a->verdict = LF_ALLOW;
		a->reason = sum->reason;
		a->rule = sum->rule == LF_NO_RULE_YET ? 0 : sum->rule;
	}
	a->deadline_ns = sum->deadline_ns;
}

static __always_inline void lf_decide(struct lf_question *q, struct lf_answer *a)
{
	struct lf_sum sum = {};
	struct lf_policy *policy = lf_begin(q, a, &sum);

	if (!policy)
		return;
	if (!q->foreign)
		lf_add_rules(&sum, q);
	if (q->local && !(q->tags & ~q->peer_tags))
		lf_add(&sum, ~policy->loop_deny, 0, LF_R_SAME_CLASS);
	lf_conclude(q, a, &sum, policy);
}

#endif
