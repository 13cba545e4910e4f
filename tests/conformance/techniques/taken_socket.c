// title: socket that is taken from an untagged process by pidfd_getfd
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// caps: sys_ptrace net_raw
// helper: passer
// variants: udp packet compat
#include "packets.h"
#include "compat.h"

int main(void)
{
	int owner, udp, packet;
	FILE *facts = fopen(helper_file("facts"), "r");
	must(facts && fscanf(facts, "%d %d %d", &owner, &udp, &packet) == 3 ? 0 : -1, "the helper's facts");
	int process = must(syscall(SYS_pidfd_open, owner, 0), "pidfd_open");
	struct frame frame = udp_frame();
	if (is("packet"))
		must(write(must(syscall(SYS_pidfd_getfd, process, packet, 0), "pidfd_getfd"), frame.bytes, frame.size),
		     "write");
	else if (is("udp"))
		send_mark(must(syscall(SYS_pidfd_getfd, process, udp, 0), "pidfd_getfd"));
	else
		send_mark(must(compat(COMPAT_PIDFD_GETFD, process, udp, 0, 0, 0), "pidfd_getfd, 32 bits"));
	return WENT_OUT;
}
