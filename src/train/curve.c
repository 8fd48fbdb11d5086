/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve.c - a curve as inline SVG: no script, no font, no file beside it.
 *
 * Numbers are written by hand so that no locale puts a comma into an attribute.
 */
#include "train_in.h"

enum { WIDTH = 860, HEIGHT = 300, LEFT = 84, RIGHT = 16, TOP = 28, BOTTOM = 40, BUCKETS = 400 };

typedef struct scale {
    double x0, x1, y0, y1;
} scale;

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    default: return NULL;
    }
}

cph_status cph_html(cph_buf *b, cph_str s, cph_err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *as = entity(s.p[i]);
        CPH_TRY(as ? cph_buf_z(b, as, err) : cph_buf_char(b, s.p[i], err));
    }
    return CPH_OK;
}

/* Two decimals are finer than a pixel. */
static cph_status put(cph_buf *b, double v, cph_err *err)
{
    long long h = (long long)(v < 0 ? v * 100 - 0.5 : v * 100 + 0.5);
    const char *sign = h < 0 ? "-" : "";
    if (h < 0) h = -h;
    return cph_buf_printf(b, err, "%s%lld.%02lld", sign, h / 100, h % 100);
}

static double px(const scale *s, double x)
{
    return LEFT + (x - s->x0) / (s->x1 - s->x0) * (WIDTH - LEFT - RIGHT);
}

static double py(const scale *s, double y)
{
    return HEIGHT - BOTTOM - (y - s->y0) / (s->y1 - s->y0) * (HEIGHT - TOP - BOTTOM);
}

static void stretch(scale *s, const cph_point *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i].x < s->x0) s->x0 = p[i].x;
        if (p[i].x > s->x1) s->x1 = p[i].x;
        if (p[i].y < s->y0) s->y0 = p[i].y;
        if (p[i].y > s->y1) s->y1 = p[i].y;
    }
}

static scale scale_of(const cph_curve *c)
{
    const cph_point *first = c->n_line ? c->line : c->dots;
    scale s = {first->x, first->x, first->y, first->y};
    stretch(&s, c->line, c->n_line);
    stretch(&s, c->dots, c->n_dots);
    if (!(s.x1 > s.x0)) s.x1 = s.x0 + 1;
    if (!(s.y1 > s.y0)) {
        s.y0 -= s.y0 != 0 ? (s.y0 < 0 ? -s.y0 : s.y0) / 10 : 1;
        s.y1 += s.y1 != 0 ? (s.y1 < 0 ? -s.y1 : s.y1) / 10 : 1;
    }
    return s;
}

/* 1, 2 or 5 times a power of ten, so that about five ticks fit. */
static double tick_of(double range)
{
    static const double nice[] = {1, 2, 5};
    double power = 1;
    while (power > range / 5) power /= 10;
    while (power * 10 <= range / 5) power *= 10;
    for (int i = 0; i < 3; i++)
        if (nice[i] * power >= range / 5) return nice[i] * power;
    return 10 * power;
}

static cph_status label(cph_buf *b, double x, double y, const char *anchor, double value, cph_err *err)
{
    char z[32];
    float shown = (float)value; /* seven digits: 0.30000000000000004 is 0.3 */
    size_t n = cph_format_float(shown < 1e-12f && shown > -1e-12f ? 0 : shown, z);
    CPH_TRY(cph_buf_z(b, "<text x=\"", err));
    CPH_TRY(put(b, x, err));
    CPH_TRY(cph_buf_z(b, "\" y=\"", err));
    CPH_TRY(put(b, y, err));
    return cph_buf_printf(b, err, "\" text-anchor=\"%s\">%.*s</text>", anchor, (int)n, z);
}

static cph_status grid_line(cph_buf *b, double x1, double y1, double x2, double y2, cph_err *err)
{
    const double at[4] = {x1, y1, x2, y2};
    static const char *const names[4] = {"<line class=\"grid\" x1=\"", "\" y1=\"", "\" x2=\"", "\" y2=\""};
    for (int i = 0; i < 4; i++) {
        CPH_TRY(cph_buf_z(b, names[i], err));
        CPH_TRY(put(b, at[i], err));
    }
    return cph_buf_z(b, "\"/>", err);
}

static double first_tick(double low, double tick)
{
    double n = (double)(long long)(low / tick);
    return n * tick < low ? (n + 1) * tick : n * tick;
}

static cph_status axes(cph_buf *b, const scale *s, cph_err *err)
{
    double tick = tick_of(s->y1 - s->y0);
    double bottom = HEIGHT - BOTTOM;
    for (double v = first_tick(s->y0, tick); v <= s->y1 + tick * 1e-9; v += tick) {
        CPH_TRY(grid_line(b, LEFT, py(s, v), WIDTH - RIGHT, py(s, v), err));
        CPH_TRY(label(b, LEFT - 8, py(s, v) + 4, "end", v, err));
    }
    tick = tick_of(s->x1 - s->x0);
    if (tick < 1) tick = 1;
    for (double v = first_tick(s->x0, tick); v <= s->x1 + tick * 1e-9; v += tick) {
        CPH_TRY(grid_line(b, px(s, v), TOP, px(s, v), bottom, err));
        CPH_TRY(label(b, px(s, v), bottom + 18, "middle", v, err));
    }
    return CPH_OK;
}

/* A bucket of neighbouring points becomes their mean. */
static cph_status line(cph_buf *b, const scale *s, const cph_curve *c, cph_err *err)
{
    size_t step = c->n_line / BUCKETS + 1;
    if (!c->n_line) return CPH_OK;
    CPH_TRY(cph_buf_z(b, "<polyline points=\"", err));
    for (size_t i = 0; i < c->n_line; i += step) {
        cph_point mean = {0, 0};
        size_t n = c->n_line - i < step ? c->n_line - i : step;
        for (size_t k = 0; k < n; k++) {
            mean.x += c->line[i + k].x / (double)n;
            mean.y += c->line[i + k].y / (double)n;
        }
        CPH_TRY(put(b, px(s, mean.x), err));
        CPH_TRY(cph_buf_char(b, ',', err));
        CPH_TRY(put(b, py(s, mean.y), err));
        CPH_TRY(cph_buf_char(b, ' ', err));
    }
    return cph_buf_z(b, "\"/>", err);
}

static cph_status dots(cph_buf *b, const scale *s, const cph_curve *c, cph_err *err)
{
    for (size_t i = 0; i < c->n_dots; i++) {
        CPH_TRY(cph_buf_z(b, "<circle r=\"3.5\" cx=\"", err));
        CPH_TRY(put(b, px(s, c->dots[i].x), err));
        CPH_TRY(cph_buf_z(b, "\" cy=\"", err));
        CPH_TRY(put(b, py(s, c->dots[i].y), err));
        CPH_TRY(cph_buf_z(b, "\"/>", err));
    }
    return CPH_OK;
}

cph_status cph_curve_svg(cph_buf *b, const cph_curve *c, cph_err *err)
{
    if (!c->n_line && !c->n_dots) return CPH_OK;
    scale s = scale_of(c);
    CPH_TRY(cph_buf_printf(b, err, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH,
                           HEIGHT, c->title));
    CPH_TRY(cph_buf_printf(b, err, "<text class=\"title\" x=\"%d\" y=\"16\">%s</text>", LEFT, c->title));
    CPH_TRY(cph_buf_printf(b, err, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>",
                           (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6));
    CPH_TRY(cph_buf_printf(
        b, err, "<text x=\"14\" y=\"%d\" transform=\"rotate(-90 14 %d)\" text-anchor=\"middle\">%s</text>",
        (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2, c->y_label));
    CPH_TRY(axes(b, &s, err));
    CPH_TRY(line(b, &s, c, err));
    CPH_TRY(dots(b, &s, c, err));
    return cph_buf_z(b, "</svg>\n", err);
}
