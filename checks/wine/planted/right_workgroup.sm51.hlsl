// Turns each workgroup's numbers round.
RWByteAddressBuffer numbers : register(u0);
groupshared float shared_numbers[64];

[numthreads(64, 1, 1)]
void main(uint3 invocation : SV_DispatchThreadID, uint index : SV_GroupIndex) {
    shared_numbers[index] = asfloat(numbers.Load(4 * invocation.x));
    GroupMemoryBarrierWithGroupSync();
    numbers.Store(4 * invocation.x, asuint(shared_numbers[63 - index]));
}
