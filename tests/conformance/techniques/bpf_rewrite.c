// title: destination rewritten by a BPF program of the tagged process, behind everybody else's
// row: another cgroup program rewriting the destination later; sockmap; XDP test-run frames
// caps: net_admin bpf
// variants: device connect
#include "packets.h"
#include "bpf.h"

enum { TCX_EGRESS = 47, DESTINATION = sizeof(struct ethhdr) + offsetof(struct iphdr, daddr) };

/* On the device, after every hook of a socket. */
static void at_device(uint32_t target)
{
	struct bpf_insn code[] = {
		STORE(BPF_REG_10, -4, target),
		MOVE(BPF_REG_3, BPF_REG_10),
		ADD(BPF_REG_3, -4),
		SET(BPF_REG_2, DESTINATION),
		SET(BPF_REG_4, 4),
		SET(BPF_REG_5, 0),
		CALL(BPF_FUNC_skb_store_bytes),
		RETURN(0),
	};
	bpf_link(bpf_program(BPF_PROG_TYPE_SCHED_CLS, TCX_EGRESS, code, COUNT(code)), number("IFINDEX"), TCX_EGRESS);
}

/* On the process's own cgroup, where a program of the root has already allowed the other address. */
static void at_connect(uint32_t target)
{
	struct bpf_insn code[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_1, 0, offsetof(struct bpf_sock_addr, user_ip4), target),
		RETURN(1)};
	char line[512] = "", path[600];
	FILE *own = fopen("/proc/self/cgroup", "r");
	while (own && fgets(line, sizeof(line), own) && strncmp(line, "0::", 3))
		;
	line[strcspn(line, "\n")] = 0;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/unified%s", line + 3);
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
	int cgroup = must(open(path, O_RDONLY | O_DIRECTORY), path);
	bpf_link(bpf_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, code, COUNT(code)), cgroup,
	         BPF_CGROUP_INET4_CONNECT);
}

int main(void)
{
	uint32_t target = to4("TARGET4").sin_addr.s_addr;
	if (is("device"))
		at_device(target);
	else
		at_connect(target);
	send_mark(connected(SOCK_DGRAM, "APPROVED4"));
	usleep(100000);
	return WENT_OUT;
}
