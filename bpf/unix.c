/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unix sockets, on kernels with these hooks (Linux 6.7) and without BPF LSM. The hooks tell which name is connected or
 * sent to, not who holds it: a tagged process may use the names that policy lists under `peers`, and no others, unless
 * `loopback: allow`.
 */
#ifdef LF_ADDR_LENGTH

static __always_inline int lf_unix(struct bpf_sock_addr *ctx)
{
	struct lf_control *ctl = lf_control();
	struct lf_question q = {.local = 1};
	struct lf_unix_name name = {};
	struct lf_actor actor = {};
	struct lf_answer a = {};
	u64 kern;

	if (!ctl || ctl->lsm) /* judged there, by who holds the name */
		return LF_PASS;
	q.tags = lf_current_tags(&actor);
	if (!q.tags)
		return LF_PASS;
	kern = lf_address_of(bpf_cast_to_kern_ctx(ctx));
	lf_read_unix_name(lf_field(kern, LF_ADDR_UADDR), lf_field32(kern, LF_ADDR_LENGTH), &name);
	lf_decide_unix(&q, &a, &name);
	lf_report(LF_S_UNIX, &q, &a, &actor, 0, ctx->family, ctx->type, 0);
	return a.verdict == LF_DENY ? LF_REFUSE : LF_PASS;
}

int lf_unix_connect(struct bpf_sock_addr *ctx)
{
	return lf_unix(ctx);
}

int lf_unix_sendmsg(struct bpf_sock_addr *ctx)
{
	return lf_unix(ctx);
}
#endif
