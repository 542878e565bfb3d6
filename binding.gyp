{
  'variables': {
    'warnings': ['-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers'],
    'hardening': ['-fstack-protector-strong', '-D_FORTIFY_SOURCE=2'],
  },
  'target_defaults': {
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-fexceptions'],
    'cflags_cc': ['-std=c++20', '-O2', '<@(warnings)', '<@(hardening)'],
    'include_dirs': ['native'],
  },
  'targets': [
    {
      'target_name': 'stack_native',
      'sources': ['<!@(ls native/binding/*.cc native/core/*.cc)'],
      'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags_cc': ['-fno-exceptions', '-fvisibility=hidden'],
    },
    {
      'target_name': 'stack_shim',
      'type': 'executable',
      'sources': ['<!@(ls native/shim/*.cc)'],
      'cflags!': ['-fPIC', '-pthread'],
      'cflags_cc': ['-Os', '-fno-exceptions', '-fno-rtti', '-fno-pie', '-ffunction-sections', '-fdata-sections'],
      'ldflags!': ['-pthread', '-rdynamic'],
      'ldflags': ['-static', '-no-pie', '-Wl,--gc-sections', '-s'],
    },
  ],
}
