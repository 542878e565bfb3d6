/** The profile of apparmor-profile.ts as the kernel reads it. Made by scripts/apparmor-compile.ts; not for editing. */
import { inflateRawSync } from 'node:zlib';

/** Of the text it was made from: the two must not part. */
export const compiledFrom = '530ab7f6827a7e5d3f87bdeaa0f505fb3b66a435df91fd22ed2bad3fa7c527c6';

export const compiledProfile = (): Uint8Array => inflateRawSync(Buffer.from(deflated.join(''), 'base64'));

const deflated = [
  '7ZfrUhNZEMd/SSaZQCAXciMg9zuIoiKKgiLeFQSVVUG5BEgAiUIJ7rqf1qr9sE+xtWXtfat8iX0S34TNdM4kkzBZkXIvH+ipMzOnu6fP9Dndp/9H8/Jl',
  '6tXOxtZLnG5A87L9aiu9kUmhu/3s7CZXNvtXU+nk68wumod0Jrm2g+4EKNy8mo/t5O76Yk7s1HDg3Nvb2yvR03RWkts7Q4PodmKvVsH2VmZj5evVZXTN',
  'QzK5mk7i+UrHpPqFN6NALejb8HJrN51JvTEEDjSlcpICaZb2fyPrPzWqpwfd1o9PJMd/753T1g9HkYZadvV0qWadG83yncOia7Vn2jF1DBtu9W4ETpWy',
  'UwtEgJjiHwPqgDDgU/aqldyggPoDZ5EfRs8rK5WjSvX0f6Z585rjOY7JKJV5y7k50qiQ8VFeHo5qxft/ngKEqSFCjHoaaKSJZqIkaCFEnDpaaUPHRxU6',
  '1QRpp4NOuuimh176OE4/JziiTydXURw5LZGUyxMH7nz8HH67MNby3yAfQQKECFNLHfUco4EaYjRSTYS4xJULHa9kRxUtElmFaDJiqf8oKA6xHRWqcKi6',
  'qP5WB8vU3xf5j3/48xtp5d41BvLv1hZlRkXXTL7//fhr4RlP004hCmeKdE2y6moEZbxSXYNXrLdfx5Qbz1JZhOl9MlP+OXiGfTu9g/StNj/WdJv1OyS5',
  'l6JvzWb2HWNuzGandxBd6zelurkC6aWcjoTomHufzP0h/rZUZso/C+9D3FbvIP3S+fm7ZsFbL2zwkYmLNNXXLejBoxBNhcJKfoVqfJJZUAPEFTYydvug',
  'wkaGvZAFQxnYql7hrJjCVw0K2xrjNqkxW4FmoAVoB9qADqDT8j99QBfQDVL/h4Ae4DhwERgGekH29BHA2JPuAxPAPWAamAIeAA+BSZB94RHwGHgCJIFZ',
  'YB6YA54BaSAFLACrwFNgEVgC1oB1YBl4DmwCGWAFeJn98bdq7reyc/Ntdo6/M3a6rJ/vsj7+mPX1p6yPv2R9/Tnr269Zf37P+vBH1sffsn68t+DMF6p+',
  'u9S90nJ3ESRKkDqCckUFT0VlFToUL0gzfcI9QQeVea7JO5HnROWy67nKvj20eQvmvyw8g7aXFd++l7govRIkCKERIya9kHASEnsJiZIQlSLvVNJKEtI3',
  'ejHh5Kw4JcrbBbkbX/gJkKBeZDE1m8VXC3X00KxG1KTlbJ3Nv5l3TWkV86rFtimtwU2YVjx48RGhirgglyYqGOc6MWq5RYLTNNJNjDa66GWA45ziHMPc',
  'o58zXGCEILMMMsQYl7mIi1HOk+ASCa5Y/sOcKSyo7HaZTXqKq1zjBtPc5y4PuMkdZpjgC5Ujk8yxzIJkg5EvT1mSTEBlyrzkoUlJy90Oi6Ly5GOUkbzb',
  'kNwqUFpyz/TnOetlvTqi/fj/vez5Ltx4qMAn+Ng4a4XwEyVArZzEwgpTNxOhSc5rjQpFd8hprIs+euU8dorTnGWYAYa4wBlBfjoJ2unkJINi/TwhznGR',
  'EQI2l2n9Ete4zBXGGGWcq1ynnxvc5BZ3mOABk9xlmofMcJvHPOU+U9yTCPXxhFnmWOAZi/hx4ieOEzde/FQQoIYwETyMMsY8Aa6yRA9hGkjK6beJLlrp',
  'ZoDT3KaNXs5wVqwbPl7gPIMMM8QpljnHCiOskmKNNOtssiEVIBevObpWZh3ucEl8vMsEN5iUvJ/ipuSdUZ9u8YhF5qTaGDXqMc+k6qCq1KzUIpPmLff9',
  'lMu/pQNEx6bUsXXlhUkpqX+obN1gzeLfEdmfj/4C',
];
