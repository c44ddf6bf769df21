// The processors on which this library runs, and the stamp of its sources. Compiled for any x86-64, so that it can be
// called before anything else.

extern "C" const char* segue_stamp() { return SEGUE_STAMP; }

extern "C" int segue_runs_here() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
#else
  return 0;
#endif
}
