// title: frames that BPF_PROG_TEST_RUN makes, as if they had been received, and the kernel forwards
// row: another cgroup program rewriting the destination later; sockmap; XDP test-run frames
// caps: net_admin bpf
#include "live_frames.h"

int main(void)
{
	int program = live_program();
	write_file("/proc/sys/net/ipv4/ip_forward", "1");
	live_run(program);
	return WENT_OUT;
}
