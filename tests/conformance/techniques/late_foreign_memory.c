// title: another process's memory, opened before the tag
// row: ptrace, process_vm_writev, /proc/PID/mem
// caps: sys_ptrace
// helper: victim
// tag: late
// variants: proc_mem ptrace
// documented: a tracer stays attached, since nothing but the end of the tracer detaches it
#include "foreign_memory.h"

int main(void)
{
	struct victim to = victim(0);
	char path[32];
	int status;
	snprintf(path, sizeof(path), "/proc/%d/mem", to.pid);
	int fd = must(open(path, O_RDWR), path);
	if (is("ptrace"))
		must(ptrace(PTRACE_SEIZE, to.pid, NULL, NULL), "PTRACE_SEIZE");
	wait_for_tag();
	if (is("proc_mem")) {
		must(pwrite(fd, mark(), strlen(mark()), to.memory), "pwrite");
	} else {
		must(ptrace(PTRACE_INTERRUPT, to.pid, NULL, NULL), "PTRACE_INTERRUPT");
		must(waitpid(to.pid, &status, __WALL), "waitpid");
		poke_mark(to);
		must(ptrace(PTRACE_DETACH, to.pid, NULL, NULL), "PTRACE_DETACH");
	}
	usleep(200000);
	return WENT_OUT;
}
