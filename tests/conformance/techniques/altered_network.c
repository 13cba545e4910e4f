// title: packet toward the approved address, sent elsewhere by what the tagged process set up in its network
// row: DNAT, REDIRECT, IPVS after the socket hook
// caps: net_admin
// variants: dnat rewritten rewritten_at_device
#include "technique.h"

static void rules(const char *family, const char *chain, const char *rule)
{
	char command[1024];
	snprintf(command, sizeof(command),
	         "command -v nft >/dev/null || exit 127; nft 'add table %s way; add chain %s way c %s; add rule %s way "
	         "c %s'",
	         family, family, chain, family, rule);
	shell(command);
}

int main(void)
{
	char rule[512], device[256];
	snprintf(rule, sizeof(rule), "ip daddr %s ip daddr set %s", env("APPROVED4"), env("TARGET4"));
	snprintf(device, sizeof(device), "{ type filter hook egress device %s priority 0; }", env("IFACE"));
	if (is("rewritten_at_device"))
		rules("netdev", device, rule);
	else if (is("rewritten"))
		rules("ip", "{ type route hook output priority 0; }", rule);
	else if (is("dnat")) {
		snprintf(rule, sizeof(rule), "ip daddr %s dnat to %s", env("APPROVED4"), env("TARGET4"));
		rules("ip", "{ type nat hook output priority -100; }", rule);
	}
	send_mark(connected(SOCK_DGRAM, "APPROVED4"));
	usleep(100000);
	return WENT_OUT;
}
