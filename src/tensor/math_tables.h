/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math_tables.h - the coefficients that scalar and vector forms share. Each is an
 * interpolation at Chebyshev nodes in 60 digits, lowest power first, of the smooth
 * remainder named beside it; the leading terms are exact in the code.
 */
#ifndef CPH_MATH_TABLES_H
#define CPH_MATH_TABLES_H

#define CPH_LOG2E_F 0x1.715476p+0f
#define CPH_LN2_HI_F 0x1.62e4p-1f       /* 15 bits: n * hi is exact */
#define CPH_LN2_LO_F 0x1.7f7d1cp-20f
/* (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2 */
#define CPH_EXP_F(X) X(0x1.6d10fcp-10f) X(0x1.120b62p-7f) X(0x1.55551ap-5f) X(0x1.5554dep-3f) X(0x1p-1f)
/* (tanh(x)/x - 1) / x^2 in x^2, |x| <= 0.625 */
#define CPH_TANH_F(X)                                                                              \
    X(-0x1.8f8de4p-8f) X(0x1.58048ep-6f) X(-0x1.b9258ap-5f) X(0x1.110e1cp-3f) X(-0x1.555552p-2f)
/* (log((1+s)/(1-s))/s - 2) / s^2 in s^2 */
#define CPH_LOG_F(X) X(0x1.ddced8p-3f) X(0x1.245c44p-2f) X(0x1.9999ecp-2f) X(0x1.555556p-1f)
/* (sin(x)/x - 1) / x^2 and (cos(x) - 1 + x^2/2) / x^4 in x^2, |x| <= pi/4 */
#define CPH_SIN_F(X) X(0x1.6dbe08p-19f) X(-0x1.a013a8p-13f) X(0x1.11110ep-7f) X(-0x1.555556p-3f)
#define CPH_COS_F(X) X(-0x1.25244ep-22f) X(0x1.a015c4p-16f) X(-0x1.6c16cp-10f) X(0x1.555556p-5f)
/* erf(x)/x in x^2, |x| <= 1; and erfc(x) exp(x^2) in t = 2/(2+x), x in [1,4] */
#define CPH_ERF_SMALL_F(X)                                                                         \
    X(0x1.4a569p-14f) X(-0x1.a45088p-11f) X(0x1.54127p-8f) X(-0x1.b7fabap-6f) X(0x1.ce2d1p-4f)     \
    X(-0x1.81273ep-2f) X(0x1.20dd74p+0f)
#define CPH_ERF_LARGE_F(X)                                                                         \
    X(0x1.ef02f6p-4f) X(-0x1.e7f63ep-2f) X(0x1.247cdep-1f) X(-0x1.c369c6p-4f) X(0x1.67747ep-2f)    \
    X(0x1.08f61ep-2f) X(0x1.23e732p-2f) X(-0x1.586dbep-13f)

#define CPH_LN2_HI 0x1.62e42feep-1
#define CPH_LN2_LO 0x1.a39ef35793c76p-33
#define CPH_EXP(X)                                                                                 \
    X(0x1.1f72fc730b4ffp-29) X(0x1.af4ddd84882fep-26) X(0x1.27e4db67b4303p-22)                     \
    X(0x1.71de02375656cp-19) X(0x1.a01a01a6d7808p-16) X(0x1.a01a01abe62ddp-13)                     \
    X(0x1.6c16c16c162d6p-10) X(0x1.11111111100dfp-7) X(0x1.5555555555556p-5)                       \
    X(0x1.5555555555557p-3) X(0x1p-1)
#define CPH_TANH(X)                                                                                \
    X(-0x1.47559de55bc91p-19) X(0x1.99b26df70cccdp-17) X(-0x1.370efd62e9535p-15)                   \
    X(0x1.92d3563b405ccp-14) X(-0x1.f4fccb8116f0ap-13) X(0x1.355204d5878bep-11)                    \
    X(-0x1.7da2fd76a3cf1p-10) X(0x1.d6d3cc561e69ap-9) X(-0x1.226e354ddfe9ap-7)                     \
    X(0x1.664f488279254p-6) X(-0x1.ba1ba1ba1aff0p-5) X(0x1.111111111110dp-3)                       \
    X(-0x1.5555555555555p-2)
#define CPH_LOG(X)                                                                                 \
    X(0x1.e6afc55fa9490p-4) X(0x1.debedbffa1d9ep-4) X(0x1.111d273ca8a70p-3)                        \
    X(0x1.3b137b347f3c2p-3) X(0x1.745d17d35328cp-3) X(0x1.c71c71c64c8ccp-3)                        \
    X(0x1.2492492492959p-2) X(0x1.9999999999998p-2) X(0x1.5555555555555p-1)
#define CPH_SIN(X)                                                                                 \
    X(-0x1.ab17d404de5b3p-41) X(0x1.61217f0b800d5p-33) X(-0x1.ae645412c560cp-26)                   \
    X(0x1.71de3a546095bp-19) X(-0x1.a01a01a019938p-13) X(0x1.1111111111110p-7)                     \
    X(-0x1.5555555555555p-3)
#define CPH_COS(X)                                                                                 \
    X(0x1.ab785b00b4646p-45) X(-0x1.9394ba0cd6ed5p-37) X(0x1.1eed8deb97a97p-29)                    \
    X(-0x1.27e4fb7712d65p-22) X(0x1.a01a01a019d0ap-16) X(-0x1.6c16c16c16c16p-10)                   \
    X(0x1.5555555555555p-5)
/* pi/2 in three parts, the first two of 33 bits or fewer */
#define CPH_PIO2_A 0x1.921fb544p+0
#define CPH_PIO2_B 0x1.0b4611a6p-34
#define CPH_PIO2_C 0x1.3198a2e037073p-69
#define CPH_ERF_SMALL(X)                                                                           \
    X(-0x1.3aa422cc5d833p-46) X(0x1.cf915d8f3c685p-42) X(-0x1.d332e777f7344p-38)                   \
    X(0x1.9df7fd0b39a12p-34) X(-0x1.51cfe00be885fp-30) X(0x1.fcc4c8ec29638p-27)                    \
    X(-0x1.5f74291398641p-23) X(0x1.b9e6c9944bd7ep-20) X(-0x1.f4d25c3b729a6p-17)                   \
    X(0x1.f9a326f9a7769p-14) X(-0x1.c02db400406a3p-11) X(0x1.565bcd0e6a530p-8)                     \
    X(-0x1.b82ce31288b51p-6) X(0x1.ce2f21a042be2p-4) X(-0x1.812746b0379e7p-2)                      \
    X(0x1.20dd750429b6dp+0)
/* the same remainder as in fp32, x in [1,6] */
#define CPH_ERF_LARGE(X)                                                                           \
    X(0x1.1ff3ece6f55cfp-5) X(-0x1.e2f44e7b3d568p-3) X(0x1.40e8b95ab3727p-1)                       \
    X(-0x1.3eeea55e3b762p-1) X(-0x1.7ee5224bdfee6p-1) X(0x1.aefda20c7bea5p+1)                      \
    X(-0x1.59185e815a1a3p+2) X(0x1.4e81c34794ab6p+2) X(-0x1.bde50bcd71f58p+1)                      \
    X(0x1.d0a986c684bbep+0) X(-0x1.8ec413b6ee4a2p-1) X(0x1.5c26f400b843ep-3)                       \
    X(-0x1.eb9d5402e044bp-5) X(0x1.827a5ebac5bbep-4) X(0x1.65eab5c8a725bp-3)                       \
    X(0x1.f9daaea2b9912p-3) X(0x1.20da319799b63p-2) X(0x1.20dd9bf33db6fp-2)                        \
    X(-0x1.b354a91aa5276p-27)

#endif
