/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket options that send packets by another way than their destination says. Egress refuses such packets by silence;
 * here the program gets an EPERM. Control messages of sendmsg escape this hook, not egress.
 */

#define LF_IP_OPTIONS          4
#define LF_IP_TRANSPARENT      19
#define LF_IPV6_2292PKTOPTIONS 6
#define LF_IPV6_2292RTHDR      5
#define LF_IPV6_RTHDRDSTOPTS   55
#define LF_IPV6_RTHDR          57
#define LF_IPV6_TRANSPARENT    75

static __always_inline bool lf_redirects(u32 level, u32 option)
{
	if (level == IPPROTO_IP)
		return option == LF_IP_OPTIONS || option == LF_IP_TRANSPARENT;
	if (level != IPPROTO_IPV6)
		return false;
	return option == LF_IPV6_2292PKTOPTIONS || option == LF_IPV6_2292RTHDR || option == LF_IPV6_RTHDRDSTOPTS ||
	       option == LF_IPV6_RTHDR || option == LF_IPV6_TRANSPARENT;
}

int lf_setsockopt(struct bpf_sockopt *ctx)
{
	struct lf_actor actor = {};
	u64 tags;

	if (!lf_redirects(ctx->level, ctx->optname) || !ctx->sk)
		return LF_PASS;
	tags = lf_current_tags(&actor);
	if (!tags)
		return LF_PASS;
	return lf_forbid(LF_S_SYSCALL, LF_R_SOURCE_ROUTE, tags, &actor, ctx->sk);
}
