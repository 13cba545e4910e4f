/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selectors: which tags the path of a cgroup earns. The automaton is explained at struct lf_glob. */
#ifndef LANDFAST_GLOB_H
#define LANDFAST_GLOB_H

/* All bits if both are the same, else none: without a branch, since the verifier would follow both ways each time. */
static __always_inline u64 lf_all_if_equal(u64 a, u64 b)
{
	return -(((a ^ b) - 1) >> 63);
}

/* One character: every word of the automaton takes its step; at_end adds what has matched so far. */
static __always_inline void lf_glob_step(struct lf_match *m, struct lf_glob *glob, struct lf_glob_row *row, u64 first,
                                         u64 component, u64 slash, u64 ends)
{
	u64 carry = 0;

	for (u32 i = 0; i < LF_GLOB_WORDS; i++) {
		u64 before = m->active[i] | (glob->enter_path[i] & first) | (glob->enter_component[i] & component);

		m->active[i] = (((before << 1) | carry) & row->on[i]) | (before & glob->loop[i] & ~slash);
		carry = before >> 63;
		m->matched[i] |= m->active[i] & glob->last[i] & ends;
	}
}

/* Without branches: the verifier would have to follow every one of them. */
static __always_inline u64 lf_glob_earned(struct lf_match *m, u32 slot)
{
	struct lf_glob_tags *earned = glob_tags.lookup(&slot);
	u64 tags = 0;

	if (!earned)
		return 0;
	for (u32 i = 0; i < LF_GLOB_WORDS; i++) {
		u64 word = m->matched[i];

		for (u32 bit = 0; bit < 64; bit++)
			tags |= earned->tags[i * 64 + bit] & -(word >> bit & 1);
	}
	return tags;
}

/* Tags that the path in m earns from the policy in slot. */
static __always_inline u64 lf_glob_match(struct lf_match *m, u32 slot)
{
	struct lf_glob *glob = globs.lookup(&slot);
	u64 slash = 0;

	if (!glob)
		return 0;
	__builtin_memset(m->active, 0, sizeof(m->active));
	__builtin_memset(m->matched, 0, sizeof(m->matched));
	for (u32 at = 0; at < LF_PATH_LEN - 1; at++) {
		u8 c = m->path[at], next = m->path[at + 1];
		u32 row_at = slot * 256 + c;
		u64 component = slash, first = at == 0 ? ~0ULL : 0;
		struct lf_glob_row *row;
		if (!c)
			break;
		row = glob_rows.lookup(&row_at);
		if (!row)
			break;
		slash = lf_all_if_equal(c, '/');
		lf_glob_step(m, glob, row, first, component, slash,
		             lf_all_if_equal(next, '/') | lf_all_if_equal(next, 0));
	}
	return lf_glob_earned(m, slot);
}

#endif
