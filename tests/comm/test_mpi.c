/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MPI plug-in under a real mpirun: this program starts itself as ranks. Skipped with a line where
 * mpirun or the plug-in is absent. Two machines are played by two names of this one.
 */
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <colophon/base/log.h>

#include "works.h"

/* ---- as a rank ---- */

static cph_status die_at_2(cph_comm *c, void *arg, cph_err *err)
{
    (void)arg;
    for (int i = 0; i < 20; i++) CPH_TRY(cph_comm_barrier(c, err));
    if (cph_comm_rank(c) == 2) raise(SIGKILL);
    return cph_comm_barrier(c, err);
}

static cph_status fail_at_1(cph_comm *c, void *arg, cph_err *err)
{
    (void)arg;
    CPH_TRY(cph_comm_barrier(c, err));
    if (cph_comm_rank(c) == 1) return cph_fail(err, CPH_DATA, "the ink ran out");
    return cph_comm_barrier(c, err);
}

static cph_status all_works(cph_comm *c, void *arg, cph_err *err)
{
    size_t sizes[] = {1, 262145, 3000001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) CPH_TRY(pass_round(c, &sizes[i], err));
    CPH_TRY(gather_parts(c, arg, err));
    return sum_rounds(c, arg, err);
}

static int as_rank(const char *what)
{
    cph_comm *c;
    cph_err err = {0};
    work_fn work = strcmp(what, "die") == 0 ? die_at_2 : strcmp(what, "fail") == 0 ? fail_at_1 : all_works;
    cph_status s = cph_comm_load(&c, "mpi", &err);
    if (s != CPH_OK) {
        fprintf(stderr, "cannot join: %s\n", err.what);
        return 9;
    }
    s = cph_comm_end(c, work(c, NULL, &err), &err);
    if (s != CPH_OK) fprintf(stderr, "rank %u says: %s\n", cph_comm_rank(c), err.what);
    else printf("rank %u of %u is well, %u on its machine\n", cph_comm_rank(c), cph_comm_size(c),
                cph_comm_local_size(c));
    fflush(stdout);
    cph_comm_close(c);
    if (s != CPH_OK) _exit(cph_status_exit(s)); /* as the program does */
    return 0;
}

/* ---- as the test ---- */

static char said[65536];

/* Runs a shell line; what it wrote is in `said`. */
static int run(const char *line)
{
    int pair[2], how;
    size_t n = 0;
    ssize_t got;
    assert_int_equal(pipe(pair), 0);
    pid_t p = fork();
    if (p == 0) {
        dup2(pair[1], 1);
        dup2(pair[1], 2);
        close(pair[0]);
        close(pair[1]);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    while (n < sizeof said - 1 && (got = read(pair[0], said + n, sizeof said - 1 - n)) > 0) n += (size_t)got;
    said[n] = 0;
    close(pair[0]);
    waitpid(p, &how, 0);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static bool has_mpi(void)
{
    char self[CPH_PATH_MAX] = "", plugin[CPH_PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    snprintf(plugin, sizeof plugin, "%.*s/../lib/libcolophon-mpi.so", CPH_FMT(cph_path_dir(cph_str_of(self))));
    if (run("command -v mpirun") == 0 && cph_file_kind_of(plugin) == CPH_FILE_REGULAR) return true;
    print_message("skipped: mpirun or the plug-in for it is not here\n");
    return false;
}

/* What Open MPI leaks is not ours to mend. */
static int mpirun(unsigned n, const char *options, const char *what)
{
    char line[2 * CPH_PATH_MAX], self[CPH_PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(line, sizeof line, "ASAN_OPTIONS=detect_leaks=0 timeout -k 5 60 mpirun --allow-run-as-root --oversubscribe -x ASAN_OPTIONS %s -n %u '%s' --as-rank %s",
             options, n, self, what);
    return run(line);
}

static unsigned count(const char *what)
{
    unsigned n = 0;
    for (const char *at = said; (at = strstr(at, what)) != NULL; at++) n++;
    return n;
}

static void ranks_of_mpirun_do_what_forked_ones_do(void **state)
{
    (void)state;
    if (!has_mpi()) skip();
    for (unsigned n = 1; n <= 4; n *= 2) {
        char want[60];
        if (n == 1) continue; /* one rank has no neighbour to send to */
        assert_int_equal(mpirun(n, "", "work"), 0);
        snprintf(want, sizeof want, " of %u is well, %u on its machine", n, n);
        assert_int_equal(count(want), n);
    }
}

static void a_killed_rank_of_mpirun_ends_the_others_with_its_name(void **state)
{
    (void)state;
    if (!has_mpi()) skip();
    double began = cph_now_s();
    assert_int_not_equal(mpirun(4, "", "die"), 0);
    assert_true(cph_now_s() - began < 40); /* the ranks end at once; mpirun at times takes longer to */
    assert_non_null(strstr(said, "rank 2"));
}

static void a_failed_rank_of_mpirun_tells_the_others(void **state)
{
    (void)state;
    if (!has_mpi()) skip();
    assert_int_not_equal(mpirun(3, "", "fail"), 0);
    assert_non_null(strstr(said, "the ink ran out"));
}

/* A remote shell that stays here under another name: MPI takes it for another machine. */
static bool write_shell(const char *path)
{
    static const char script[] = "#!/bin/sh\nhost=$1; shift\nexec unshare --uts sh -c \"hostname $host; $*\"\n";
    FILE *f = fopen(path, "w");
    if (!f) return false;
    fputs(script, f);
    fclose(f);
    return run("unshare --uts hostname played") == 0 && chmod(path, 0755) == 0;
}

static void ranks_of_two_machines_talk_by_messages_and_name_who_died(void **state)
{
    (void)state;
    char options[CPH_PATH_MAX + 300];
    const char *shell = testing_path("shell");
    if (!has_mpi()) skip();
    if (!write_shell(shell)) {
        print_message("skipped: another host name cannot be played here\n");
        skip();
    }
    snprintf(options, sizeof options,
             "--mca plm_rsh_agent '%s' --mca orte_keep_fqdn_hostnames 1 --host library-a:2,library-b:2", shell);
    int code = mpirun(4, options, "work");
    if (code) print_message("%s\n", said);
    assert_int_equal(code, 0);
    assert_int_equal(count(" of 4 is well, 2 on its machine"), 4);
    double began = cph_now_s();
    assert_int_not_equal(mpirun(4, options, "die"), 0);
    assert_true(cph_now_s() - began < 40); /* the ranks end at once; mpirun at times takes longer to */
    assert_non_null(strstr(said, "on library-b) died"));
    testing_remove();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_of_mpirun_do_what_forked_ones_do),
        cmocka_unit_test(a_killed_rank_of_mpirun_ends_the_others_with_its_name),
        cmocka_unit_test(a_failed_rank_of_mpirun_tells_the_others),
        cmocka_unit_test(ranks_of_two_machines_talk_by_messages_and_name_who_died),
    };
    if (argc == 3 && strcmp(argv[1], "--as-rank") == 0) return as_rank(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
