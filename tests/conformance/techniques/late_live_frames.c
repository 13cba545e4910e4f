// title: BPF program that was loaded before the tag, and whose test run makes frames
// row: another cgroup program rewriting the destination later; sockmap; XDP test-run frames
// caps: net_admin bpf
// tag: late
#include "live_frames.h"

int main(void)
{
	int program = live_program();
	write_file("/proc/sys/net/ipv4/ip_forward", "1");
	wait_for_tag();
	live_run(program);
	return WENT_OUT;
}
