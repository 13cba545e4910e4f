// title: attack on the agent, then a datagram
// row: detaching programs, editing maps, unpinning, killing the agent
// spoils: yes
// variants: kill stop unpin kill_and_unpin unload new_policy
// documented.kill_and_unpin: the pins belong to a user that nobody runs as. CAP_DAC_OVERRIDE, or a capability by which
// documented.kill_and_unpin: a process becomes that user, removes them all the same, and the daemon that would put them
// documented.kill_and_unpin: back is dead. `exec` leaves both to root, whose services become other users and read
// documented.kill_and_unpin: their files; `doctor --unit` hides the pins from a unit, and `ps` names who holds root.
// documented.new_policy: whoever may write the policy file of a host without a controller decides what is approved
// documented.new_policy: there, and root may. The change is an event that names the policy's digest. On an enrolled
// documented.new_policy: host the policy comes from the controller, and no file is read.
#include "tamper.h"

static void unpin(const char *path)
{
	unlink(path);
}

/* By the agent's own command, as the daemon was started. */
static void unload(void)
{
	static char words[4096];
	char *argv[32] = {0}, *rest[] = {"unload", "--force", "--reason", "none", NULL};
	int count = 0, size = daemon_words(words, sizeof(words) - 1);
	for (char *word = words; word < words + size && strcmp(word, "run") && count < 24; word += strlen(word) + 1)
		argv[count++] = word;
	memcpy(argv + count, rest, sizeof(rest));
	if (size)
		run(argv);
}

static void overwrite(const char *path, const char *text)
{
	must(truncate(path, 0), path);
	write_file(path, text);
}

/* In the file that the daemon reads, in place of what is approved. */
static void new_policy(void)
{
	static char words[4096];
	char text[512];
	int size = daemon_words(words, sizeof(words) - 1), is_next = 0;
	snprintf(text, sizeof(text),
	         "version: 1\ndata_classes:\n  eu:\n    allow:\n      - {to: %s/32, ports: [any], reason: mine}\n",
	         env("TARGET4"));
	for (char *word = words; word < words + size; word += strlen(word) + 1) {
		if (is_next)
			overwrite(word, text);
		is_next = !strcmp(word, "--policy");
	}
	signal_agent(SIGHUP);
	usleep(700000);
}

int main(void)
{
	if (strstr(env("VARIANT"), "unpin"))
		each_pin(unpin);
	if (strstr(env("VARIANT"), "kill"))
		signal_agent(SIGKILL);
	if (is("stop"))
		signal_agent(SIGSTOP);
	if (is("unload"))
		unload();
	if (is("new_policy"))
		new_policy();
	usleep(300000);
	send_mark(connected(SOCK_DGRAM, "TARGET4"));
	return WENT_OUT;
}
