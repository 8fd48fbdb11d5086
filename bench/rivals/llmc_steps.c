/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmc_steps.c - the peer of gpt2-llmc: llm.c's own functions, called for steps on random tokens.
 *
 * usage: llmc_steps CHECKPOINT, then numbers of steps, one a line; each is answered by a line of JSON.
 * bench/bars/llmc.py compiles it beside llm.c's sources (which stay where they are) with the flags
 * of its Makefile. The checkpoint, random weights of GPT-2 124M in llm.c's form, is written if absent.
 */
#define TESTING
#include "train_gpt2.c"

enum { B = 4, T = 64, N_FLOATS = 124475904 }; /* the vocabulary padded to 50304 */

static uint32_t draw(void)
{
    static uint32_t x = 2463534242u;
    return x = x * 1664525u + 1013904223u;
}

static void write_checkpoint(const char *path)
{
    int header[256] = {20240326, 3, 1024, 50257, 12, 12, 768, 50304};
    static float block[768];
    FILE *f = fopenCheck(path, "wb");
    fwrite(header, sizeof(int), 256, f);
    for (long i = 0; i < N_FLOATS / 768; i++) {
        for (int j = 0; j < 768; j++) block[j] = ((float)(draw() >> 8) * 0x1p-23f - 1.0f) * 0.02f;
        fwrite(block, sizeof(float), 768, f);
    }
    fcloseCheck(f);
}

static double one_step(GPT2 *model, int step)
{
    static int inputs[B * T], targets[B * T];
    struct timespec a, b;
    for (int i = 0; i < B * T; i++) inputs[i] = (int)(draw() >> 8) % 50257;
    for (int i = 0; i < B * T; i++) targets[i] = inputs[(i + 1) % (B * T)];
    clock_gettime(CLOCK_MONOTONIC, &a);
    gpt2_forward(model, inputs, targets, B, T);
    gpt2_zero_grad(model);
    gpt2_backward(model);
    gpt2_update(model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.0f, step);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
}

int main(int argc, char **argv)
{
    GPT2 model;
    int n, done = 1;
    if (argc != 2) return 2;
    if (access(argv[1], F_OK) != 0) write_checkpoint(argv[1]);
    FILE *answers = fdopen(dup(1), "w");
    fclose(stdout); /* llm.c talks there */
    stdout = fopen("/dev/null", "w");
    gpt2_build_from_checkpoint(&model, argv[1]);
    one_step(&model, done);
    while (scanf("%d", &n) == 1 && n > 0) {
        double s = 0;
        for (int i = 0; i < n; i++) s += one_step(&model, ++done);
        fprintf(answers, "{\"tokens_per_s\":%.4f}\n", n * B * T / s);
        fflush(answers);
    }
    gpt2_free(&model);
    return 0;
}
