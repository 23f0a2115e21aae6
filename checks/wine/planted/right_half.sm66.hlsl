// Rounds numbers to 16 bits.
RWByteAddressBuffer numbers : register(u0);

[numthreads(64, 1, 1)]
void main(uint3 invocation : SV_DispatchThreadID) {
    float16_t rounded = float16_t(asfloat(numbers.Load(4 * invocation.x)));
    numbers.Store(4 * invocation.x, asuint(float(rounded)));
}
