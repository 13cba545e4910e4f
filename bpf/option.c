/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Socket options that make the kernel send what no rule judges, or by another way than the destination says: source
 * routes, extension headers, addresses of others as the source, and multicast memberships, whose reports carry
 * addresses of the program's choice. Where egress sees the packet it refuses it by silence; here the program gets an
 * EPERM. Control messages of sendmsg escape this hook, not egress.
 */

/* Options of IPPROTO_IP: uapi/linux/in.h. */
#define LF_IP_OPTIONS          4
#define LF_IP_FREEBIND         15
#define LF_IP_TRANSPARENT      19
#define LF_IP_ADD_MEMBERSHIP   35
#define LF_MCAST_MSFILTER      48 /* the last of the memberships, at both levels */
#define LF_MCAST_JOIN_GROUP    42
/* Options of IPPROTO_IPV6: uapi/linux/in6.h. */
#define LF_IPV6_2292HOPOPTS    3
#define LF_IPV6_2292PKTOPTIONS 6
#define LF_IPV6_JOIN_GROUP     20
#define LF_IPV6_JOIN_ANYCAST   27
#define LF_IPV6_HOPOPTS        54
#define LF_IPV6_RECVRTHDR      56
#define LF_IPV6_RECVDSTOPTS    58
#define LF_IPV6_DSTOPTS        59
#define LF_IPV6_TRANSPARENT    75
#define LF_IPV6_FREEBIND       78

static __always_inline bool lf_is_within(u32 option, u32 first, u32 last)
{
	return option >= first && option <= last;
}

static __always_inline bool lf_redirects(u32 level, u32 option)
{
	if (level == IPPROTO_IP)
		return option == LF_IP_OPTIONS || option == LF_IP_FREEBIND || option == LF_IP_TRANSPARENT ||
		       lf_is_within(option, LF_IP_ADD_MEMBERSHIP, LF_MCAST_MSFILTER);
	if (level != IPPROTO_IPV6)
		return false;
	return lf_is_within(option, LF_IPV6_2292HOPOPTS, LF_IPV6_2292PKTOPTIONS) || option == LF_IPV6_JOIN_GROUP ||
	       option == LF_IPV6_JOIN_ANYCAST || lf_is_within(option, LF_MCAST_JOIN_GROUP, LF_MCAST_MSFILTER) ||
	       (lf_is_within(option, LF_IPV6_HOPOPTS, LF_IPV6_DSTOPTS) && option != LF_IPV6_RECVRTHDR &&
	        option != LF_IPV6_RECVDSTOPTS) ||
	       option == LF_IPV6_TRANSPARENT || option == LF_IPV6_FREEBIND;
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
