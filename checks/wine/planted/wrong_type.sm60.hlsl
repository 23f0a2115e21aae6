// no matching member function: an address is no matrix.
RWByteAddressBuffer numbers : register(u0);

[numthreads(64, 1, 1)]
void main(uint3 invocation : SV_DispatchThreadID) {
    float4x4 address;
    numbers.Store(address, 1u);
}
