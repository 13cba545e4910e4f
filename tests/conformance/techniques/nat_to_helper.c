// title: connection toward the approved address, redirected to an untagged helper of this host
// row: DNAT, REDIRECT, IPVS after the socket hook
// caps: net_admin
// helper: relay
#include "technique.h"

int main(void)
{
	char command[512];
	snprintf(command, sizeof(command),
	         "command -v nft >/dev/null || exit 127; nft 'add table ip way; add chain ip way c { type nat hook "
	         "output "
	         "priority -100; }; add rule ip way c ip daddr %s udp dport %s dnat to 127.0.0.1:%s'",
	         env("APPROVED4"), env("PORT"), env("HELPER_PORT"));
	shell(command);
	send_mark(connected(SOCK_DGRAM, "APPROVED4"));
	usleep(200000);
	return WENT_OUT;
}
