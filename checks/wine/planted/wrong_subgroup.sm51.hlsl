// error X3004: shader model 5.1 has no subgroups.
RWByteAddressBuffer numbers : register(u0);

[numthreads(64, 1, 1)]
void main(uint3 invocation : SV_DispatchThreadID) {
    numbers.Store(4 * invocation.x, WaveActiveSum(invocation.x));
}
