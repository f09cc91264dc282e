// The same work as the package's benchmarks, done by Intel's multi-buffer library (Debian:
// libipsec-mb-dev). It is no part of the build:
//
//	cc -O2 -march=native -o /tmp/ipsecmb bench.c -lIPSec_MB && /tmp/ipsecmb
//
// Figures are ns a packet, the least of seven runs. The chain is what a receiver does for
// a vector of 32 packets of 100 octets: open, HMAC of the envelope, hash of that, seal a
// reply of 40 octets; IVs are at hand. Each part uses the library's fastest way that does
// it for packets with keys of their own.
#include <intel-ipsec-mb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VECTOR = 32, RUNS = 7, OVERHEAD = 28 };

static IMB_MGR *mgr;
static struct gcm_key_data keys[VECTOR];
static struct gcm_context_data ctx;
static uint8_t iv[12], tag[16];
static uint8_t in[VECTOR][1 << 15 | 64], out[VECTOR][1 << 15 | 64];
static uint8_t digest[VECTOR][32], condition[VECTOR][32];
static uint8_t ipad[VECTOR][64], opad[VECTOR][64];
static IMB_JOB jobs[VECTOR];

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

// best runs f, which does n packets, until it is stable, and returns ns a packet.
static double best(void (*f)(size_t), size_t octets, int n) {
	double least = 1e18;
	for (int run = 0; run < RUNS; run++) {
		long rounds = 0;
		double began = now(), took;
		do {
			for (int i = 0; i < 64; i++) f(octets);
			rounds += 64;
		} while ((took = now() - began) < 5e7);
		if (took / rounds / n < least) least = took / rounds / n;
	}
	return least;
}

static void seal_one(size_t n) {
	IMB_AES256_GCM_ENC(mgr, &keys[0], &ctx, out[0], in[0], n, iv, NULL, 0, tag, 16);
}

static void open_one(size_t n) {
	IMB_AES256_GCM_DEC(mgr, &keys[0], &ctx, out[0], in[0], n, iv, NULL, 0, tag, 16);
}

static void hmac_vector(size_t n) {
	for (int i = 0; i < VECTOR; i++) {
		IMB_JOB *j = &jobs[i];
		j->src = in[i];
		j->hash_start_src_offset_in_bytes = 0;
		j->msg_len_to_hash_in_bytes = n;
		j->auth_tag_output = digest[i];
		j->auth_tag_output_len_in_bytes = 32;
		j->u.HMAC._hashed_auth_key_xor_ipad = ipad[i];
		j->u.HMAC._hashed_auth_key_xor_opad = opad[i];
		j->hash_alg = IMB_AUTH_HMAC_SHA_256;
	}
	if (IMB_SUBMIT_HASH_BURST_NOCHECK(mgr, jobs, VECTOR, IMB_AUTH_HMAC_SHA_256) != VECTOR) abort();
}

static void hash_vector(void) {
	int done = 0;
	for (int i = 0; i < VECTOR; i++) {
		IMB_JOB *j = IMB_GET_NEXT_JOB(mgr);
		j->src = digest[i];
		j->hash_start_src_offset_in_bytes = 0;
		j->msg_len_to_hash_in_bytes = 32;
		j->msg_len_to_cipher_in_bytes = 0;
		j->auth_tag_output = condition[i];
		j->auth_tag_output_len_in_bytes = 32;
		j->cipher_mode = IMB_CIPHER_NULL;
		j->chain_order = IMB_ORDER_HASH_CIPHER;
		j->cipher_direction = IMB_DIR_ENCRYPT;
		j->hash_alg = IMB_AUTH_SHA_256;
		for (j = IMB_SUBMIT_JOB_NOCHECK(mgr); j != NULL; j = IMB_GET_COMPLETED_JOB(mgr)) done++;
	}
	while (IMB_FLUSH_JOB(mgr) != NULL) done++;
	if (done != VECTOR) abort();
}

static void hash_single(void) {
	for (int i = 0; i < VECTOR; i++) IMB_SHA256(mgr, digest[i], 32, condition[i]);
}

static void fulfill_vector(size_t n) { hmac_vector(n); hash_vector(); }
static void fulfill_vector_single_hash(size_t n) { hmac_vector(n); hash_single(); }

static void chain(size_t n, void (*hash)(void)) {
	for (int i = 0; i < VECTOR; i++)
		IMB_AES256_GCM_DEC(mgr, &keys[i], &ctx, out[i], in[i] + OVERHEAD, n, in[i], NULL, 0, tag, 16);
	hmac_vector(n + OVERHEAD);
	hash();
	for (int i = 0; i < VECTOR; i++)
		IMB_AES256_GCM_ENC(mgr, &keys[i], &ctx, out[i] + OVERHEAD, in[i], 40, in[i], NULL, 0, out[i] + 12, 16);
}
static void chain_burst(size_t n) { chain(n, hash_vector); }
static void chain_single(size_t n) { chain(n, hash_single); }

int main(void) {
	IMB_ARCH arch;
	if ((mgr = alloc_mb_mgr(0)) == NULL) return 1;
	init_mb_mgr_auto(mgr, &arch);
	for (int i = 0; i < VECTOR; i++) {
		uint8_t key[32];
		memset(key, i, sizeof key);
		IMB_AES256_GCM_PRE(mgr, key, &keys[i]);
		memset(ipad[i], i, sizeof ipad[i]);
		memset(opad[i], i + 1, sizeof opad[i]);
	}
	printf("ipsec-mb %s, arch %d\n\n| | ns |\n|---|---|\n", imb_get_version_str(), (int)arch);
	size_t lengths[] = {32, 64, 100, 128, 200, 256, 512, 1400, 32768};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) printf("| Seal/B=%zu | %.1f |\n", lengths[i], best(seal_one, lengths[i], 1));
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) printf("| Open/B=%zu | %.1f |\n", lengths[i], best(open_one, lengths[i], 1));
	double a = best(fulfill_vector, 100 + OVERHEAD, VECTOR), b = best(fulfill_vector_single_hash, 100 + OVERHEAD, VECTOR);
	printf("| Fulfill/B=100/n=32 | %.1f |\n", a < b ? a : b);
	a = best(chain_burst, 100, VECTOR), b = best(chain_single, 100, VECTOR);
	printf("| ReceiveChain/B=100/n=32 | %.1f |\n", a < b ? a : b);
	free_mb_mgr(mgr);
	return 0;
}
