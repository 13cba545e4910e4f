/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An allowlist of destination addresses at skb egress, as IPAddressAllow= has it. Loopback is allowed. */
#include <uapi/linux/bpf.h>
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>
#include <uapi/linux/ipv6.h>

int egress(struct __sk_buff *skb)
{
	u32 a[4] = {};

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, offsetof(struct iphdr, daddr), a, 4) < 0)
			return 0;
		return a[0] == APPROVED4 || (a[0] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return 1;
	if (bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, daddr), a, 16) < 0)
		return 0;
	if (!a[0] && !a[1] && !a[2] && a[3] == bpf_htonl(1))
		return 1;
	return a[0] == APPROVED6_A && a[1] == APPROVED6_B && a[2] == APPROVED6_C && a[3] == APPROVED6_D;
}
