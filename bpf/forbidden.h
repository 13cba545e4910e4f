/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tagged processes may not have in either tier, and which classes only record it. */
#ifndef LANDFAST_FORBIDDEN_H
#define LANDFAST_FORBIDDEN_H

#define LF_AF_UNIX          1
#define LF_AF_NETLINK       16
#define LF_AF_PACKET        17
#define LF_AF_ALG           38
#define LF_NETLINK_USERSOCK 2

static __always_inline bool lf_is_decided_family(u32 family, u32 protocol)
{
	if (family == LF_AF_NETLINK)
		return protocol != LF_NETLINK_USERSOCK;
	return family == LF_AF_INET || family == LF_AF_INET6 || family == LF_AF_UNIX || family == LF_AF_ALG;
}

static __always_inline bool lf_is_inet(u32 family)
{
	return family == LF_AF_INET || family == LF_AF_INET6;
}

/* Why nobody decides on what such a socket sends; 0: somebody does. Protocol 0 stands for the type's own. */
static __always_inline u32 lf_forbidden_socket(u32 family, u32 type, u32 protocol)
{
	if (!lf_is_decided_family(family, protocol))
		return LF_R_FORBIDDEN_FAMILY;
	if (!lf_is_inet(family))
		return 0;
	if (type != LF_SOCK_STREAM && type != LF_SOCK_DGRAM)
		return LF_R_RAW_SOCKET;
	return protocol && !lf_protocol(protocol) ? LF_R_FORBIDDEN_PROTOCOL : 0;
}

/* Classes in audit mode, and those with `forbidden_calls: audit`, only record. */
static __always_inline u64 lf_refuses(u64 tags)
{
	struct lf_policy *policy = lf_active();

	return policy ? tags & ~(policy->loaded & (policy->audit | ~policy->kill)) : tags;
}

#endif
