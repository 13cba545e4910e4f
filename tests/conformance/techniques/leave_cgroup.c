// title: another cgroup
// row: leaving the tagged cgroup
// variants: by_moving clone_into child_by_moving
#include "technique.h"
#include <linux/sched.h>
#include <signal.h>

static void deliver(void)
{
	sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "TARGET4");
	send_mark(connected(SOCK_STREAM, "TARGET4"));
	usleep(100000);
}

static void move(const char *file, int pid)
{
	char path[512], text[16];
	snprintf(path, sizeof(path), "%s/%s", env("CGROUP_OUTSIDE"), file);
	snprintf(text, sizeof(text), "%d", pid);
	write_file(path, text);
}

static void into(void)
{
	struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	how.cgroup = must(open(env("CGROUP_OUTSIDE"), O_RDONLY | O_DIRECTORY), "open");
	int child = must(syscall(SYS_clone3, &how, sizeof(how)), "clone3");
	if (child)
		waitpid(child, NULL, 0);
	else
		deliver();
}

static void move_child(void)
{
	int go[2], child;
	must(pipe(go), "pipe");
	child = must(fork(), "fork");
	if (child) {
		move("cgroup.procs", child);
		must(write(go[1], "x", 1), "write");
		waitpid(child, NULL, 0);
	} else {
		char byte;
		must(read(go[0], &byte, 1), "read");
		deliver();
	}
}

int main(void)
{
	if (is("clone_into"))
		into();
	else if (is("child_by_moving"))
		move_child();
	else {
		move("cgroup.procs", 0);
		deliver();
	}
	return WENT_OUT;
}
