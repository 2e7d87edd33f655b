// Written by csrc/tables/make_random_tables.py; do not edit.
#pragma once

// clang-format off
namespace fracmoment::tables {

inline constexpr double kLogTwo = 0x1.62e42fefa39efp-1;
inline constexpr double kCellReciprocal[16] = {0x1.0000000000000p+0, 0x1.d41d41d41d41dp-1, 0x1.bacf914c1bad0p-1, 0x1.a41a41a41a41ap-1, 0x1.8f9c18f9c18fap-1, 0x1.7d05f417d05f4p-1, 0x1.6c16c16c16c17p-1, 0x1.5c9882b931057p-1, 0x1.4e5e0a72f0539p-1, 0x1.4141414141414p-1, 0x1.3521cfb2b78c1p-1, 0x1.29e4129e4129ep-1, 0x1.1f7047dc11f70p-1, 0x1.15b1e5f75270dp-1, 0x1.0c9714fbcda3bp-1, 0x1.0000000000000p-1};
inline constexpr double kCellLogarithm[16] = {0x0.0p+0, -0x1.6f0d28ae56b4ep-3, -0x1.29552f81ff521p-2, -0x1.9525a9cf456b6p-2, -0x1.fb9186d5e3e29p-2, -0x1.2e8e2bae11d31p-1, -0x1.5d1bdbf5809cap-1, -0x1.89a3386c1425bp-1, -0x1.b44f77bcc8f64p-1, -0x1.dd46a04c1c4a1p-1, -0x1.02552a5a5d0ffp+0, -0x1.154c3d2f4d5eap+0, -0x1.2795e1289b11bp+0, -0x1.393e0d3562a1ap+0, -0x1.4a4f85db03ebbp+0, -0x1.62e42fefa39efp+0};
inline constexpr double kLogarithmSeries[10] = {-0x1.0000000000000p+1, 0x1.0000000000003p+0, -0x1.55555555565efp-1, 0x1.fffffffff5a95p-2, -0x1.999999797438ap-2, 0x1.5555544adfaccp-2, -0x1.2492e942b0acbp-2, 0x1.000b482e6664bp-2, -0x1.c57bef0eb5939p-3, 0x1.656657082734dp-3};
inline constexpr double kQuarterSine[7] = {0x1.921fb54442d18p+0, -0x1.4abbce625be41p-1, 0x1.466bc677587f8p-4, -0x1.32d2cce2e5b19p-8, 0x1.50782fda12d96p-13, -0x1.e30071afc3e59p-19, 0x1.e3f38399551bfp-25};
inline constexpr double kQuarterCosine[8] = {0x1.0000000000000p+0, -0x1.3bd3cc9be45dep+0, 0x1.03c1f081b5aacp-2, -0x1.55d3c7e3c90f8p-6, 0x1.e1f5068355e15p-11, -0x1.a6d1ec7906c20p-16, 0x1.f9cc41140bb60p-22, -0x1.b264ba152378ap-28};
inline constexpr float kLogTwoF = 0x1.62e4300000000p-1f;
inline constexpr float kCellReciprocalF[16] = {0x1.0000000000000p+0f, 0x1.d41d420000000p-1f, 0x1.bacf920000000p-1f, 0x1.a41a420000000p-1f, 0x1.8f9c180000000p-1f, 0x1.7d05f40000000p-1f, 0x1.6c16c20000000p-1f, 0x1.5c98820000000p-1f, 0x1.4e5e0a0000000p-1f, 0x1.4141420000000p-1f, 0x1.3521d00000000p-1f, 0x1.29e4120000000p-1f, 0x1.1f70480000000p-1f, 0x1.15b1e60000000p-1f, 0x1.0c97140000000p-1f, 0x1.0000000000000p-1f};
inline constexpr float kCellLogarithmF[16] = {0x0.0p+0f, -0x1.6f0d280000000p-3f, -0x1.29552c0000000p-2f, -0x1.9525a80000000p-2f, -0x1.fb918c0000000p-2f, -0x1.2e8e2c0000000p-1f, -0x1.5d1bda0000000p-1f, -0x1.89a33a0000000p-1f, -0x1.b44f7a0000000p-1f, -0x1.dd469e0000000p-1f, -0x1.02552a0000000p+0f, -0x1.154c3e0000000p+0f, -0x1.2795e00000000p+0f, -0x1.393e0e0000000p+0f, -0x1.4a4f880000000p+0f, -0x1.62e4300000000p+0f};
inline constexpr float kLogarithmSeriesF[5] = {-0x1.0000000000000p+1f, 0x1.0000000000000p+0f, -0x1.5559460000000p-1f, 0x1.00149c0000000p-1f, -0x1.80bbfe0000000p-2f};
inline constexpr float kQuarterSineF[4] = {0x1.921fb60000000p+0f, -0x1.4abbba0000000p-1f, 0x1.465ec40000000p-4f, -0x1.2d9b400000000p-8f};
inline constexpr float kQuarterCosineF[5] = {0x1.0000000000000p+0f, -0x1.3bd3cc0000000p+0f, 0x1.03c1dc0000000p-2f, -0x1.55c57a0000000p-6f, 0x1.d9c2e80000000p-11f};
inline constexpr double kFactorialError[16] = {-0x1.28682473d0de8p-4, -0x1.bc9973e8e1db4p-6, -0x1.0ea247396be10p-6, -0x1.84486c14b1396p-7, -0x1.2e8beb80f3703p-7, -0x1.ef89867b92493p-8, -0x1.a386dcd3c06cep-8, -0x1.6bb6a20de6c04p-8, -0x1.40ff247a7d346p-8, -0x1.1f40e2759fc33p-8, -0x1.03ed20f9b1149p-8, -0x1.dab0883cb1dc7p-9, -0x1.b4be6f256243bp-9, -0x1.9469f8a4d400fp-9, -0x1.788a11ec14ffbp-9, -0x1.604236c53b63bp-9};

}  // namespace fracmoment::tables
// clang-format on
