// title: another process's memory, which that process sends
// row: ptrace, process_vm_writev, /proc/PID/mem
// caps: sys_ptrace
// helper: victim
// variants: process_vm_writev proc_mem ptrace
#include "victim.h"
#include <sys/ptrace.h>

static void by_ptrace(struct victim to)
{
	int status;
	must(ptrace(PTRACE_ATTACH, to.pid, NULL, NULL), "PTRACE_ATTACH");
	must(waitpid(to.pid, &status, __WALL), "waitpid");
	for (size_t at = 0; at < strlen(mark()); at += sizeof(long)) {
		long word = 0;
		strncpy((char *)&word, mark() + at, sizeof(word));
		must(ptrace(PTRACE_POKEDATA, to.pid, to.memory + at, word), "PTRACE_POKEDATA");
	}
	must(ptrace(PTRACE_DETACH, to.pid, NULL, NULL), "PTRACE_DETACH");
}

static void by_proc(struct victim to)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d/mem", to.pid);
	int fd = must(open(path, O_RDWR), path);
	must(pwrite(fd, mark(), strlen(mark()), to.memory), "pwrite");
}

int main(void)
{
	struct victim to = victim();
	struct iovec here = {(char *)mark(), strlen(mark())}, there = {(void *)to.memory, strlen(mark())};
	if (is("ptrace"))
		by_ptrace(to);
	else if (is("proc_mem"))
		by_proc(to);
	else
		must(process_vm_writev(to.pid, &here, 1, &there, 1, 0), "process_vm_writev");
	usleep(200000);
	return WENT_OUT;
}
